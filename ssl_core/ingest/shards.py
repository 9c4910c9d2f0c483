"""Parquet shards in the schemas of Hugging Face: of images, or of videos."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from ssl_core.ingest.kinds import Kind
from ssl_core.videos import VideoFacts

SHARD_BYTES = 256 << 20
GROUP_BYTES = 8 << 20
"""A row group is the least that can be read, so a thumbnail costs this much at most."""
GROUP_ROWS = 1000


class Row(NamedTuple):
    """One image of a dataset."""

    content: bytes
    path: str
    width: int
    height: int
    label: int | None
    split: str | None


class VideoRow(NamedTuple):
    """One video of a dataset."""

    content: bytes
    path: str
    facts: VideoFacts
    preview: bytes
    label: int | None
    split: str | None


@dataclass(frozen=True)
class Shard:
    """A file that was written."""

    name: str
    rows: int
    bytes: int
    sha256: str


class _Hashed:
    """A file that knows the SHA-256 of what was written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        self._hash.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

    def digest(self) -> str:
        return self._hash.hexdigest()


class ShardWriter:
    """Writes rows to `shard-00000.parquet` and on. A file has its name only once it is whole and on the disk.

    Args:
        folder: where to.
        labels: names of the classes; no label column if there are none.
        splits: whether there is a split column.
        kind: what the rows are.
    """

    def __init__(self, folder: Path, labels: Sequence[str], *, splits: bool, kind: Kind = "image") -> None:
        self.shards: list[Shard] = []
        self._folder = folder
        self._kind = kind
        self._schema = _schema(labels, splits=splits, kind=kind)
        self._rows: list[Row | VideoRow] = []
        self._buffered = 0
        self._open: tuple[Path, BinaryIO, _Hashed, pq.ParquetWriter] | None = None
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
            self._finish()
        elif self._open is not None:
            path, file, *_ = self._open
            path.unlink(missing_ok=True)
            with suppress(OSError):  # a full disk fails it once more
                file.close()

    def add(self, row: Row) -> None:
        """Add an image."""
        self._add(row)

    def add_video(self, row: VideoRow) -> None:
        """Add a video."""
        self._add(row)

    def _add(self, row: Row | VideoRow) -> None:
        self._rows.append(row)
        self._buffered += len(row.content)
        if self._buffered >= GROUP_BYTES or len(self._rows) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._open is None:
            path = self._folder / f".shard-{len(self.shards):05}.new"
            file = path.open("wb")
            hashed = _Hashed(file)
            statistics = [name for name in ("label", "width", "height", *_VIDEO_COLUMNS) if name in self._schema.names]
            writer = pq.ParquetWriter(hashed, self._schema, compression="none", use_dictionary=False, write_statistics=statistics)
            self._open = path, file, hashed, writer
            self._written = 0
        writer = self._open[3]
        writer.write_table(self._table(), row_group_size=len(self._rows))
        self._written += len(self._rows)
        self._rows, self._buffered = [], 0
        if self._open[1].tell() >= SHARD_BYTES:
            self._finish()

    def _table(self) -> pa.Table:
        rows = self._rows
        contents = pa.array([row.content for row in rows], pa.binary())
        paths = pa.array([row.path for row in rows], pa.string())
        columns: dict[str, Any] = {
            self._kind: pa.StructArray.from_arrays([contents, paths], ["bytes", "path"]),
            "label": [row.label for row in rows],
            "split": [row.split for row in rows],
        }
        facts = [row.facts if isinstance(row, VideoRow) else row for row in rows]
        columns |= {"width": [one.width for one in facts], "height": [one.height for one in facts]}
        videos = [row for row in rows if isinstance(row, VideoRow)]
        if videos:
            previews = pa.array([row.preview for row in videos], pa.binary())
            columns["preview"] = pa.StructArray.from_arrays([previews, pa.nulls(len(videos), pa.string())], ["bytes", "path"])
            columns |= {name: [getattr(row.facts, name) for row in videos] for name in _VIDEO_COLUMNS}
        return pa.Table.from_pydict({name: columns[name] for name in self._schema.names}, self._schema)

    def _finish(self) -> None:
        if self._open is None:
            return
        path, file, hashed, writer = self._open
        writer.close()
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
        file.close()
        name = f"shard-{len(self.shards):05}.parquet"
        path.replace(self._folder / name)
        self.shards.append(Shard(name, self._written, size, hashed.digest()))
        self._open = None


class Group(NamedTuple):
    """A row group: the least of a shard that can be read."""

    file: pq.ParquetFile
    """Open until the next group is asked for."""
    number: int
    """Of the group in its file."""
    first: int
    """Index of its first row in the dataset."""
    rows: int


def groups(shards: Iterable[Path]) -> Iterator[Group]:
    """The row groups of a dataset, in order. Nothing but the shards' footers is read."""
    first = 0
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            for number in range(file.num_row_groups):
                rows = file.metadata.row_group(number).num_rows
                yield Group(file, number, first, rows)
                first += rows


def paths_of(folder: Path, shards: Sequence[Shard], rows: Sequence[int]) -> dict[int, str]:
    """Names of a few images, by their numbers in the dataset. Read back, so that millions of names need no memory.

    Args:
        folder: where the shards lie.
        shards: all of them, in order.
        rows: which images.
    """
    wanted, first = sorted(set(rows)), 0
    found: dict[int, str] = {}
    for shard in shards:
        inside = [row for row in wanted if first <= row < first + shard.rows]
        if inside:
            with pq.ParquetFile(folder / shard.name) as file:
                found |= _paths_in(file, first, inside)
        first += shard.rows
    return found


def _paths_in(file: pq.ParquetFile, first: int, rows: list[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for number in range(file.num_row_groups):
        count = file.metadata.row_group(number).num_rows
        inside = [row for row in rows if first <= row < first + count]
        if inside:
            column = "image" if "image" in file.schema_arrow.names else "video"
            images = file.read_row_group(number, columns=[f"{column}.path"])[column]
            found |= {row: images[row - first].as_py()["path"] for row in inside}
        first += count
    return found


_VIDEO_COLUMNS = {"frames": pa.int64(), "rate": pa.float64(), "variable": pa.bool_()}
"""What has to be known of a video before it is decoded, by the names of `VideoFacts`."""
_DTYPES = {"frames": "int64", "rate": "float64", "variable": "bool"}


def _schema(labels: Sequence[str], *, splits: bool, kind: Kind) -> pa.Schema:
    file = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [pa.field(kind, file)]
    features: dict[str, Any] = {kind: {"_type": kind.capitalize()}}
    if labels:
        fields.append(pa.field("label", pa.int64()))
        features["label"] = {"names": list(labels), "_type": "ClassLabel"}
    if splits:
        fields.append(pa.field("split", pa.string()))
        features["split"] = {"dtype": "string", "_type": "Value"}
    for name in ("width", "height"):
        fields.append(pa.field(name, pa.int32()))
        features[name] = {"dtype": "int32", "_type": "Value"}
    if kind == "video":
        for name, dtype in _VIDEO_COLUMNS.items():
            fields.append(pa.field(name, dtype))
            features[name] = {"dtype": _DTYPES[name], "_type": "Value"}
        fields.append(pa.field("preview", file))
        features["preview"] = {"_type": "Image"}
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})
