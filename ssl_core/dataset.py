"""A dataset as it lies on the disk: Parquet shards in the Hugging Face schema of images or of videos. Torch-free."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ssl_core.errors import UserError
from ssl_core.images import ImageError, stored_size
from ssl_core.ingest.kinds import Kind
from ssl_core.spec import DatasetFacts
from ssl_core.spec.clips import rounded_length
from ssl_core.videos import Grid, Source, inspect_video, size_of


@dataclass(frozen=True)
class Group:
    """A row group: the least that can be read at once."""

    shard: Path
    number: int
    """Which one in its shard, from 0."""
    first: int
    """Number of its first image or video in the dataset, from 0."""
    rows: int
    kind: Kind = "image"

    def contents(self) -> Iterator[bytes]:
        """The files of its images."""
        for image in self._column():
            yield image["bytes"].as_py() or b""

    def videos(self) -> Iterator[Source]:
        """The files of its videos, open to be read. None is copied: one may be large."""
        for video in self._column():
            yield pa.BufferReader(video["bytes"].as_buffer() or b"")

    def content(self, row: int) -> bytes:
        """The file of one of its images."""
        content: bytes = self._column()[row]["bytes"].as_py() or b""
        return content

    def video(self, row: int) -> Source:
        """The file of one of its videos, open to be read."""
        source: Source = pa.BufferReader(self._column()[row]["bytes"].as_buffer() or b"")
        return source

    def paths(self) -> list[str | None]:
        """The names of its images or videos."""
        with pq.ParquetFile(self.shard) as file:
            if self.kind not in file.schema_arrow.names or file.schema_arrow.field(self.kind).type.get_field_index("path") < 0:
                return [None] * self.rows
            column = file.read_row_group(self.number, columns=[f"{self.kind}.path"], use_threads=False)[self.kind]
        return [one["path"] for one in column.to_pylist()]

    def _column(self) -> Any:
        with pq.ParquetFile(self.shard) as file:
            return file.read_row_group(self.number, columns=[f"{self.kind}.bytes"], use_threads=False)[self.kind]


def groups_of(shards: list[Path]) -> list[Group]:
    """All row groups of a dataset, in order.

    Raises:
        UserError: a file is no Parquet, has neither images nor videos, or is of another kind than the first.
    """
    groups, first = [], 0
    kinds = set[Kind]()
    for shard in shards:
        metadata, kind = _checked(shard)
        kinds.add(kind)
        for number in range(metadata.num_row_groups):
            rows = metadata.row_group(number).num_rows
            groups.append(Group(shard, number, first, rows, kind))
            first += rows
    if len(kinds) > 1:
        raise UserError("damaged_dataset", "some of the Parquet files are of images and some of videos; make two datasets of them")
    return groups


def facts_of(shards: list[Path]) -> DatasetFacts:
    """What has to be known of a dataset before a spec can be resolved. Reads a few small columns, or else the files in it.

    Raises:
        UserError: there are no images or videos.
    """
    groups = groups_of(shards)
    if groups and groups[0].kind == "video":
        return _facts_of_videos(shards)
    sides = [_sides(shard, groups_of([shard])) for shard in shards]
    every = np.concatenate(sides) if sides else np.empty(0, np.int64)
    if not len(every):
        raise UserError("no_data", "the dataset has no images")
    return DatasetFacts(images=len(every), median_side=max(1, int(np.median(every))))


def _facts_of_videos(shards: list[Path]) -> DatasetFacts:
    grids = grids_of(shards)
    sides = np.concatenate([_sides(shard, groups_of([shard])) for shard in shards])
    if not grids:
        raise UserError("no_data", "the dataset has no videos")
    lengths = Counter(rounded_length(grid.frames) for grid in grids)
    return DatasetFacts(
        images=len(grids),
        median_side=max(1, int(np.median(sides))),
        kind="video",
        frames=sum(grid.frames for grid in grids),
        lengths=tuple(sorted(lengths.items())),
    )


def grids_of(shards: list[Path]) -> list[Grid]:
    """Number and rate of the frames of each video. Where the columns for it are missing, every video is decoded once to know.

    Raises:
        UserError: a video cannot be decoded.
    """
    names = ["frames", "rate", "variable"]
    grids: list[Grid] = []
    for shard in shards:
        if set(names) <= set(pq.read_schema(shard).names):
            table = pq.read_table(shard, columns=names)
            grids += [Grid(*row) for row in zip(*(table[name].to_pylist() for name in names), strict=True)]
        else:
            grids += [_inspected(source, shard) for group in groups_of([shard]) for source in group.videos()]
    return grids


def _inspected(source: Source, shard: Path) -> Grid:
    try:
        facts, _ = inspect_video(source)
    except ImageError as error:
        raise UserError("damaged_dataset", f"a video in {shard.name} cannot be read: {error.reason}") from error
    return Grid(facts.frames, facts.rate, facts.variable)


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


def paths_of(shards: Sequence[Path], first: int, count: int) -> list[str | None]:
    """Names of the images or videos `first` to `first + count`; None where a file of another origin has none."""
    paths: list[str | None] = []
    for group in groups_of(list(shards)):
        start, end = max(first, group.first), min(first + count, group.first + group.rows)
        if start < end:
            paths += group.paths()[start - group.first : end - group.first]
    return paths


def _checked(shard: Path) -> tuple[pq.FileMetaData, Kind]:
    try:
        metadata, schema = pq.read_metadata(shard), pq.read_schema(shard)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError("damaged_dataset", f"{shard.name} is no readable Parquet file: {error}") from error
    kinds: tuple[Kind, ...] = ("image", "video")
    for kind in kinds:
        column = schema.field(kind).type if kind in schema.names else None
        if column and pa.types.is_struct(column) and column.get_field_index("bytes") >= 0:
            return metadata, kind
    raise UserError(
        "no_data", f"{shard.name} has no column `image` or `video` with `bytes` in it, as Hugging Face datasets of such have"
    )


def _sides(shard: Path, groups: list[Group]) -> npt.NDArray[np.int64]:
    """Shorter side of each image or video, in pixels."""
    if {"width", "height"} <= set(pq.read_schema(shard).names):
        table = pq.read_table(shard, columns=["width", "height"])
        width, height = (np.asarray(table[name].to_numpy(), np.int64) for name in ("width", "height"))
        return np.minimum(width, height)
    if groups and groups[0].kind == "video":
        return np.array([min(size_of(source)) for group in groups for source in group.videos()], np.int64)
    return np.array([_side(content, shard) for group in groups for content in group.contents()], np.int64)


def _side(content: bytes, shard: Path) -> int:
    try:
        return min(stored_size(content))
    except ImageError as error:
        raise UserError("damaged_dataset", f"an image in {shard.name} cannot be read: {error.reason}") from error
