"""Decoded images: a dataset at one resolution as a uint8 memory map, made once and used by every training. Torch-free.

The cache is a folder of entries. An entry is locked exclusively while it is made and shared while it is used; the locks are the
kernel's, so those of a killed process are gone with it. When the folder is full, the entries used longest ago make room.
"""

import fcntl
import json
import mmap
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from ssl_core.errors import InterruptedRun, UserError
from ssl_core.events import Events, Ticker
from ssl_core.images import ImageError, decode_rgb, square
from ssl_core.ingest import run_ingest
from ssl_core.ingest.checks import cores
from ssl_core.process import StopRequest, die_with
from ssl_core.spec import DatasetFacts

_TELL_SECONDS = 0.5
_INDEX = "index.json"
_PIXELS = "images.u8"


@dataclass(frozen=True)
class DecodedImages:
    """A dataset at one resolution."""

    images: npt.NDArray[np.uint8]
    """uint8 (N, size, size, 3), a private memory map: what is written to it does not reach the file."""
    facts: DatasetFacts
    labels: npt.NDArray[np.int64] | None
    """int64 (N,), -1 where an image has none; None if none has."""
    label_names: tuple[str, ...]
    splits: tuple[str | None, ...] | None
    """`train`, `validation` or `test` for each image; None if the dataset has no splits."""

    @property
    def count(self) -> int:
        """Number of images, N."""
        return len(self.images)


def dataset_facts(data: Path, cache: Path, events: Events, stop: StopRequest) -> DatasetFacts:
    """What has to be known of a dataset before a spec can be resolved; reads two small columns.

    Raises:
        UserError: the folder has no images.
    """
    return _facts(_shards(data, cache, events, stop))


@contextmanager
def decoded_images(
    data: Path, *, size: int, cache: Path, cache_bytes: int, key: str | None, events: Events, stop: StopRequest
) -> Iterator[DecodedImages]:
    """A dataset at one resolution, from the cache or decoded now. It stays in the cache at least as long as the block lasts.

    Args:
        data: folder with Parquet shards in the Hugging Face image schema, or with images in any layout.
        size: side of the square images, in pixels.
        cache: folder of the cache.
        cache_bytes: bound of the cache, in bytes.
        key: name of the dataset's version; made from its files if none is given.
        events: told of the progress.
        stop: looked at while decoding.

    Raises:
        UserError: there are no images, or no room for them.
        InterruptedRun: it was asked to stop while decoding.
    """
    cache.mkdir(parents=True, exist_ok=True)
    shards = _shards(data, cache, events, stop)
    entry = cache / f"{key or _key(shards)}-{size}"
    with ExitStack() as stack:
        lock = stack.enter_context((cache / f"{entry.name}.lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_whole(entry):
            shutil.rmtree(entry, ignore_errors=True)
            _make_room(cache, entry, _bytes_needed(shards, size), cache_bytes)
            _decode(shards, entry, size, events, stop)
        os.utime(entry / _INDEX)
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield _open(entry)


def _shards(data: Path, cache: Path, events: Events, stop: StopRequest) -> list[Path]:
    found = sorted(data.glob("*.parquet"))
    if found:
        return found
    if not data.is_dir():
        raise UserError("no_data", f"{data} is not a folder with Parquet shards or images")
    cache.mkdir(parents=True, exist_ok=True)
    files = sorted((path.relative_to(data).as_posix(), path.stat().st_size) for path in data.rglob("*") if path.is_file())
    folder = cache / f"ingested-{sha256(json.dumps([str(data.resolve()), files]).encode()).hexdigest()[:24]}"
    if not (folder / "report.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run_ingest(data, folder, events, stop)
    return sorted(folder.glob("*.parquet"))


def _key(shards: list[Path]) -> str:
    known = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in shards]
    return sha256(json.dumps([str(shards[0].resolve().parent), known]).encode()).hexdigest()[:24]


def _facts(shards: list[Path]) -> DatasetFacts:
    sides = []
    for shard in shards:
        names = pq.read_schema(shard).names
        if "width" not in names or "height" not in names:
            sides.append(_measured(shard))
            continue
        table = pq.read_table(shard, columns=["width", "height"])
        sides.append(np.minimum(table["width"].to_numpy(), table["height"].to_numpy()))
    every = np.concatenate(sides) if sides else np.empty(0)
    if not len(every):
        raise UserError("no_data", "the dataset has no images")
    return DatasetFacts(images=len(every), median_side=max(1, int(np.median(every))))


def _measured(shard: Path) -> npt.NDArray[np.int64]:
    """Shorter sides of images in a file that somebody else has written, without columns for them."""
    with pq.ParquetFile(shard) as file:
        groups = (file.read_row_group(group, columns=["image.bytes"])["image"] for group in range(file.num_row_groups))
        return np.array([min(decode_rgb(image["bytes"].as_py()).size) for images in groups for image in images], np.int64)


def _bytes_needed(shards: list[Path], size: int) -> int:
    rows: int = sum(pq.read_metadata(shard).num_rows for shard in shards)
    return rows * size * size * 3


def _is_whole(entry: Path) -> bool:
    try:
        index = json.loads((entry / _INDEX).read_text(encoding="utf-8"))
        return bool((entry / _PIXELS).stat().st_size == index["count"] * index["size"] ** 2 * 3)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _make_room(cache: Path, entry: Path, needed: int, bound: int) -> None:
    """Evict entries that nobody uses, those used longest ago first, until a new one fits."""
    if needed > bound:
        raise UserError(
            "cache_full",
            f"the decoded images take {needed:,} bytes, and the cache may have {bound:,}; raise PRETEXT_CACHE_BYTES, or "
            "choose a smaller `image_size`",
        )
    held = {folder: _size_of(folder) for folder in cache.iterdir() if folder.is_dir() and folder != entry}
    for folder in sorted(held, key=_last_used):
        fits = sum(held.values()) + needed <= bound and needed <= shutil.disk_usage(cache).free
        if fits:
            break
        if _evict(cache, folder):
            held[folder] = 0
    free = shutil.disk_usage(cache).free
    if needed > free:
        raise UserError(
            "cache_full", f"the decoded images take {needed:,} bytes, and the disk of {cache} has {free:,} free; free some space"
        )
    if sum(held.values()) + needed > bound:
        raise UserError(
            "cache_full",
            f"the decoded images take {needed:,} bytes, and running jobs hold {sum(held.values()):,} of the cache's {bound:,}; "
            "wait for them, or raise PRETEXT_CACHE_BYTES",
        )


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _last_used(folder: Path) -> float:
    try:
        return (folder / _INDEX).stat().st_mtime
    except OSError:
        return folder.stat().st_mtime


def _evict(cache: Path, folder: Path) -> bool:
    with (cache / f"{folder.name.removesuffix('.new')}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True


def _decode(shards: list[Path], entry: Path, size: int, events: Events, stop: StopRequest) -> None:
    partial = entry.with_name(f"{entry.name}.new")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    groups = _row_groups(shards)
    count = sum(rows for *_, rows in groups)
    with (partial / _PIXELS).open("wb") as file:
        file.truncate(count * size * size * 3)
    _decode_all(groups, partial / _PIXELS, size, count, events, stop)
    facts = _facts(shards)
    index = {"count": count, "size": size, "median_side": facts.median_side, **_labels(shards)}
    (partial / _INDEX).write_text(json.dumps(index), encoding="utf-8")
    partial.replace(entry)


_Group = tuple[Path, int, int, int]
"""A shard, the number of a row group in it, the index of its first image, and its number of images."""


def _row_groups(shards: list[Path]) -> list[_Group]:
    groups, first = [], 0
    for shard in shards:
        metadata = pq.read_metadata(shard)
        for number in range(metadata.num_row_groups):
            rows = metadata.row_group(number).num_rows
            groups.append((shard, number, first, rows))
            first += rows
    return groups


def _decode_all(groups: list[_Group], pixels: Path, size: int, count: int, events: Events, stop: StopRequest) -> None:
    ticker, done, started = Ticker(_TELL_SECONDS), 0, time.monotonic()
    # Forked before torch is imported: its threads would not survive the fork.
    pool = ProcessPoolExecutor(cores(), get_context("fork"), initializer=die_with, initargs=(os.getpid(),))
    try:
        for rows in pool.map(_decode_group, groups, [pixels] * len(groups), [size] * len(groups)):
            done += rows
            if stop:
                raise InterruptedRun
            if ticker.due() or done == count:
                rate = done / (time.monotonic() - started)
                events.emit("progress", phase="decode", done=done, total=count, unit="images", images_per_second=rate)
    finally:
        pool.shutdown(cancel_futures=True)


def _decode_group(group: _Group, pixels: Path, size: int) -> int:
    shard, number, first, rows = group
    with pq.ParquetFile(shard) as file:
        images = file.read_row_group(number, columns=["image.bytes"])["image"]
    into = np.memmap(pixels, np.uint8, "r+", offset=first * size * size * 3, shape=(rows, size, size, 3))
    for place, image in enumerate(images):
        try:
            into[place] = square(decode_rgb(image["bytes"].as_py(), target=size), size)
        except ImageError as error:
            raise UserError("damaged_dataset", f"image {first + place} of the dataset cannot be decoded: {error.reason}") from error
    into.flush()
    return rows


def _labels(shards: list[Path]) -> dict[str, Any]:
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


def _open(entry: Path) -> DecodedImages:
    index = json.loads((entry / _INDEX).read_text(encoding="utf-8"))
    shape = (index["count"], index["size"], index["size"], 3)
    with (entry / _PIXELS).open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    images = np.frombuffer(mapped, np.uint8).reshape(shape)
    labels = None if index["labels"] is None else np.array(index["labels"], np.int64)
    facts = DatasetFacts(images=index["count"], median_side=index["median_side"])
    splits = None if index["splits"] is None else tuple(index["splits"])
    return DecodedImages(images, facts, labels, tuple(index["label_names"]), splits)
