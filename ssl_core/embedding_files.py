"""Embeddings as Parquet files that pandas, DuckDB and Hugging Face's `datasets` open. Torch-free.

D: features.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ssl_core.cache import DecodedImages
from ssl_core.dataset import paths_of

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

_GROUP_ROWS = 8192
"""Rows that are read at once by whoever wants one of them."""
ABOUT = b"pretext"
"""Key of the schema's metadata under which it says what the embeddings are of, as JSON."""


@dataclass(frozen=True)
class Table:
    """The columns: `id`, `path`, `label` and `split` if the dataset has them, `embedding`.

    Args:
        images: the dataset. An `id` is a place in it, from 0, as of its samples.
        features: D.
        about: what the embeddings are of.
    """

    images: DecodedImages
    features: int
    about: dict[str, Any]

    @property
    def schema(self) -> pa.Schema:
        """The columns, with Hugging Face's description of them, and what they are of."""
        fields = [pa.field("id", pa.int64()), pa.field("path", pa.string())]
        described: dict[str, Any] = {
            name: {"dtype": dtype, "_type": "Value"} for name, dtype in (("id", "int64"), ("path", "string"))
        }
        if self.images.labels is not None:
            fields.append(pa.field("label", pa.int64()))
            described["label"] = {"names": list(self.images.label_names), "_type": "ClassLabel"}
        if self.images.splits is not None:
            fields.append(pa.field("split", pa.string()))
            described["split"] = {"dtype": "string", "_type": "Value"}
        fields.append(pa.field("embedding", pa.list_(pa.float32(), self.features)))
        number = {"dtype": "float32", "_type": "Value"}
        described["embedding"] = {"feature": number, "length": self.features, "_type": "Sequence"}
        metadata = {"huggingface": json.dumps({"info": {"features": described}}), ABOUT.decode(): json.dumps(self.about)}
        return pa.schema(fields, metadata)

    def write(self, path: Path, ids: Ids, embeddings: Floats) -> None:
        """Write rows to a file, which has its name only once it is whole and on the disk. The same rows give the same bytes."""
        partial = path.with_name(f".{path.name}.new")
        with partial.open("wb") as file:
            pq.write_table(self._rows(ids, embeddings), file, row_group_size=_GROUP_ROWS, write_page_checksum=True, **_STORED)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def read(self, path: Path, ids: Ids) -> Floats | None:
        """The embeddings in a file, float32 (n, D); None if it is not whole, or of something else than these images."""
        try:
            found = pq.read_table(path, page_checksum_verification=True, use_threads=False, memory_map=False)
        except (pa.ArrowException, OSError):
            return None
        same = found.schema.equals(self.schema) and found.schema.metadata == self.schema.metadata
        if not same or not np.array_equal(found["id"].to_numpy(), ids):
            return None
        values = found["embedding"].combine_chunks().values.to_numpy(zero_copy_only=False)
        return np.asarray(values, np.float32).reshape(-1, self.features)

    def _rows(self, ids: Ids, embeddings: Floats) -> pa.Table:
        values = pa.array(np.ascontiguousarray(embeddings, np.float32).reshape(-1))
        first = int(ids[0])
        paths = paths_of(self.images.shards, first, int(ids[-1]) - first + 1)
        columns: dict[str, Any] = {
            "id": pa.array(ids, pa.int64()),
            "path": pa.array([paths[number - first] for number in ids.tolist()], pa.string()),
            "embedding": pa.FixedSizeListArray.from_arrays(values, self.features),
        }
        if self.images.labels is not None:
            labels = self.images.labels[ids]
            columns["label"] = pa.array(labels, pa.int64(), mask=labels < 0)
        if self.images.splits is not None:
            columns["split"] = pa.array(_chosen(self.images.splits, ids), pa.string())
        return pa.Table.from_pydict({name: columns[name] for name in self.schema.names}, self.schema)


_STORED: dict[str, Any] = {"compression": "snappy", "use_dictionary": ["split"], "write_statistics": ["id", "label", "split"]}


def _chosen(values: Sequence[str | None], ids: Ids) -> list[str | None]:
    return [values[number] for number in ids.tolist()]
