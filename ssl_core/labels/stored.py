"""Labels of a whole dataset, in its order, and the Parquet file that they lie in beside its shards. N: images or videos."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ssl_core.dataset import labels_of
from ssl_core.errors import UserError

_GROUP_ROWS = 65_536

Labels = npt.NDArray[np.int64]
Splits = Sequence[str | None]


@dataclass(frozen=True, eq=False)
class LabelSet:
    """The labels and splits of a dataset."""

    names: tuple[str, ...]
    """The classes, sorted."""
    labels: Labels
    """int64 (N,): numbers among the names, -1 where there is no label."""
    splits: Splits | None
    """`train`, `validation` or `test` (N,), or none; None if nothing is in a split."""

    @property
    def version(self) -> str | None:
        """SHA-256 of all of it, in hexadecimal: equal labels have equal versions, wherever they come from."""
        return version_of(self.names, self.labels, self.splits)

    def counts(self) -> dict[str, int]:
        """Number of images of each class."""
        counts = np.bincount(self.labels[self.labels >= 0], minlength=len(self.names))
        return dict(zip(self.names, counts.tolist(), strict=True))

    def split_counts(self) -> dict[str, int] | None:
        """Number of images in each split; None if there are no splits."""
        if self.splits is None:
            return None
        names, counts = np.unique([split for split in self.splits if split is not None], return_counts=True)
        return dict(zip(names.tolist(), counts.tolist(), strict=True))


def version_of(names: Sequence[str], labels: Labels | None, splits: Splits | None) -> str | None:
    """SHA-256 of labels, in hexadecimal; None if there are neither labels nor splits. Classes of which no image is do not count."""
    used = np.unique(labels[labels >= 0]) if labels is not None else np.empty(0, np.int64)
    if not len(used) and not any(splits or ()):
        return None
    called = {number: names[number] if number < len(names) else str(number) for number in used.tolist()}
    order = sorted(called, key=called.__getitem__)
    digest = sha256(json.dumps([called[number] for number in order]).encode())
    if labels is not None and len(used):
        anew = np.full(int(used.max()) + 2, -1, np.int64)
        anew[order] = np.arange(len(order))
        digest.update(anew[labels].astype("<i8").tobytes())
    if splits is not None and any(splits):
        digest.update("\n".join(split or "" for split in splits).encode())
    return digest.hexdigest()


def of_folders(shards: list[Path]) -> LabelSet:
    """The labels that a dataset's shards hold themselves, from the folders of the upload."""
    known = labels_of(shards)
    if known["labels"] is None:
        rows = sum(pq.read_metadata(shard).num_rows for shard in shards)
        return LabelSet((), np.full(rows, -1, np.int64), known["splits"])
    return LabelSet(tuple(known["label_names"]), np.array(known["labels"], np.int64), known["splits"])


def member_paths(shards: Sequence[Path]) -> Iterator[pa.Array]:
    """Names of all members in order, a row group at a time. Nothing but the names is read."""
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            column = "image" if "image" in file.schema_arrow.names else "video"
            for group in range(file.num_row_groups):
                found = file.read_row_group(group, columns=[f"{column}.path"])[column]
                for chunk in found.chunks:
                    yield chunk.field("path").fill_null("")


def written(found: LabelSet, shards: Sequence[Path]) -> bytes:
    """The Parquet file of a dataset's labels: `path`, `label` and `split`, a row for each member, in the dataset's order."""
    paths = pa.chunked_array(list(member_paths(shards)), pa.string())
    table = pa.table(
        {
            "path": paths,
            "label": _named(found.labels, found.names),
            "split": pa.array(found.splits or pa.nulls(len(found.labels)), pa.string()),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=_GROUP_ROWS, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _named(labels: Labels, names: tuple[str, ...]) -> pa.Array:
    numbers = pa.array(labels, pa.int32(), mask=labels < 0)
    return pa.DictionaryArray.from_arrays(numbers, pa.array(names, pa.string())).cast(pa.string())


def read(path: Path, shards: Sequence[Path] | None = None) -> LabelSet:
    """Read labels back.

    Args:
        path: the Parquet file.
        shards: if given, the file has to be of the dataset that they are.

    Raises:
        UserError: it is no such file, or of another dataset.
    """
    try:
        table = pq.read_table(path, columns=["label", "split"])
        if shards is not None and not _is_of(path, shards):
            raise UserError("damaged_dataset", f"{path.name} names other files than the dataset has; give the labels anew")
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise UserError("damaged_dataset", f"{path.name} is no file of labels: {error}") from error
    encoded = table["label"].combine_chunks().dictionary_encode()
    said = [str(name) for name in encoded.dictionary.to_pylist()]
    names = tuple(sorted(said))
    place = {name: number for number, name in enumerate(names)}
    numbers = np.array([*(place[name] for name in said), -1], np.int64)
    labels = numbers[encoded.indices.fill_null(len(said)).to_numpy()]
    splits = table["split"]
    return LabelSet(names, labels, None if splits.null_count == len(splits) else splits.to_pylist())


def _is_of(path: Path, shards: Sequence[Path]) -> bool:
    known = pq.read_table(path, columns=["path"])["path"]
    return bool(known.equals(pa.chunked_array(list(member_paths(shards)), pa.string())))


def rows_of(path: Path, start: int, count: int) -> list[dict[str, Any]]:
    """`path`, `label` and `split` of the rows `start` to `start + count`; what is behind the end is left out."""
    found: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as file:
        first = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if first + rows > start and first < start + count:
                table = file.read_row_group(group)
                found += table.slice(max(0, start - first), start + count - max(first, start)).to_pylist()
            first += rows
    return found
