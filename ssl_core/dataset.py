"""A dataset as it lies on the disk: Parquet shards in the Hugging Face image schema. Torch-free."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ssl_core.errors import UserError
from ssl_core.images import ImageError, stored_size
from ssl_core.spec import DatasetFacts


@dataclass(frozen=True)
class Group:
    """A row group: the least that can be read at once."""

    shard: Path
    number: int
    """Which one in its shard, from 0."""
    first: int
    """Number of its first image in the dataset, from 0."""
    rows: int

    def contents(self) -> Iterator[bytes]:
        """The files of its images."""
        with pq.ParquetFile(self.shard) as file:
            images = file.read_row_group(self.number, columns=["image.bytes"], use_threads=False)["image"]
        for image in images:
            yield image["bytes"].as_py() or b""


def groups_of(shards: list[Path]) -> list[Group]:
    """All row groups of a dataset, in order.

    Raises:
        UserError: a file is no Parquet, or has no images.
    """
    groups, first = [], 0
    for shard in shards:
        metadata = _checked(shard)
        for number in range(metadata.num_row_groups):
            rows = metadata.row_group(number).num_rows
            groups.append(Group(shard, number, first, rows))
            first += rows
    return groups


def facts_of(shards: list[Path]) -> DatasetFacts:
    """What has to be known of a dataset before a spec can be resolved. Reads two small columns, or else the headers of the images.

    Raises:
        UserError: there are no images.
    """
    sides = [_sides(shard, groups_of([shard])) for shard in shards]
    every = np.concatenate(sides) if sides else np.empty(0, np.int64)
    if not len(every):
        raise UserError("no_data", "the dataset has no images")
    return DatasetFacts(images=len(every), median_side=max(1, int(np.median(every))))


def labels_of(shards: list[Path]) -> dict[str, Any]:
    """`labels`: a class's number for each image, -1 where there is none, or None; `label_names`; `splits`: names, or None."""
    schema = pq.read_schema(shards[0])
    columns = [name for name in ("label", "split") if name in schema.names]
    known: dict[str, Any] = {"labels": None, "label_names": [], "splits": None}
    if not columns:
        return known
    tables = [pq.read_table(shard, columns=columns) for shard in shards]
    if "label" in columns:
        known["labels"] = [-1 if label is None else label for table in tables for label in table["label"].to_pylist()]
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        known["label_names"] = features.get("label", {}).get("names", [])
    if "split" in columns:
        known["splits"] = [split for table in tables for split in table["split"].to_pylist()]
    return known


def _checked(shard: Path) -> pq.FileMetaData:
    try:
        metadata, schema = pq.read_metadata(shard), pq.read_schema(shard)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError("damaged_dataset", f"{shard.name} is no readable Parquet file: {error}") from error
    column = schema.field("image").type if "image" in schema.names else None
    if not (column and pa.types.is_struct(column) and column.get_field_index("bytes") >= 0):
        raise UserError("no_data", f"{shard.name} has no column `image` with `bytes` in it, as Hugging Face image datasets have")
    return metadata


def _sides(shard: Path, groups: list[Group]) -> npt.NDArray[np.int64]:
    """Shorter side of each image, in pixels."""
    if {"width", "height"} <= set(pq.read_schema(shard).names):
        table = pq.read_table(shard, columns=["width", "height"])
        width, height = (np.asarray(table[name].to_numpy(), np.int64) for name in ("width", "height"))
        return np.minimum(width, height)
    return np.array([_side(content, shard) for group in groups for content in group.contents()], np.int64)


def _side(content: bytes, shard: Path) -> int:
    try:
        return min(stored_size(content))
    except ImageError as error:
        raise UserError("damaged_dataset", f"an image in {shard.name} cannot be read: {error.reason}") from error
