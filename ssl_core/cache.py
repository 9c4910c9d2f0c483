"""Decoded images, or frames of videos: a dataset at one resolution as a uint8 memory map, made once and used by every training.

Torch-free. The cache is a folder of entries. An entry is locked exclusively while it is made and shared while it is used. When the
folder is full, the entries used longest ago make room.
"""

import errno
import json
import mmap
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_core.cached import NEW, entries, evict, lock_of, size_of
from ssl_core.clips import ClipSettings, ClipTable, Segment, clip_table, segments_of
from ssl_core.dataset import Group, facts_of, grids_of, groups_of, labels_of
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.events import Events, Ticker
from ssl_core.images import ImageError, decode_square, quiet
from ssl_core.ingest import run_ingest
from ssl_core.ingest.checks import cores
from ssl_core.labels import LABELS
from ssl_core.labels.stored import read as read_labels
from ssl_core.labels.stored import version_of
from ssl_core.locks import exclusive, shared_once_made
from ssl_core.process import StopRequest, die_with
from ssl_core.spec import DatasetFacts
from ssl_core.videos import Grid, decode_segments

_TELL_SECONDS = 0.5
_INDEX = "index.json"
_PIXELS = "images.u8"
_REPORT = "report.json"
_UNBOUNDED = sys.maxsize
_KEPT_IN_MEMORY = 0.5
"""Share of the machine's memory up to which a set is expected to stay there once it is read."""
_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
"""Python names it from 3.13 on; Linux has it everywhere."""


@dataclass(frozen=True)
class DecodedImages:
    """A dataset at one resolution."""

    images: npt.NDArray[np.uint8]
    """uint8 (N, size, size, 3), a private memory map: what is written to it does not reach the file. Of videos, their frames."""
    facts: DatasetFacts
    labels: npt.NDArray[np.int64] | None
    """int64 (N,), -1 where an image has none; None if none has."""
    label_names: tuple[str, ...]
    splits: tuple[str | None, ...] | None
    """`train`, `validation` or `test` for each image or video; None if the dataset has no splits."""
    clips: ClipTable | None = None
    """The clips among the frames, if the dataset is of videos."""
    shards: tuple[Path, ...] = ()
    """The files that it was decoded from. They stay as long as the images do."""
    mapped: mmap.mmap | None = None
    """The memory map itself."""

    def read_in_order(self) -> None:
        """Tell the kernel that the images will be read from the first to the last, once each."""
        if self.mapped is not None:
            self.mapped.madvise(mmap.MADV_SEQUENTIAL)

    def let_go(self) -> None:
        """Give back the memory that reading took. What was written is lost; images are read from the disk again if asked for."""
        if self.mapped is not None:
            self.mapped.madvise(mmap.MADV_DONTNEED)

    @property
    def labels_version(self) -> str | None:
        """SHA-256 of labels and splits, in hexadecimal; None if there are none."""
        return version_of(self.label_names, self.labels, self.splits)

    @property
    def count(self) -> int:
        """Number of images, N, or of clips."""
        return len(self.images) if self.clips is None else len(self.clips)


def dataset_facts(data: Path, cache: Path, events: Events, stop: StopRequest, *, cache_bytes: int = _UNBOUNDED) -> DatasetFacts:
    """What has to be known of a dataset before a spec can be resolved. A plain folder of images is ingested into the cache for it.

    Args:
        data: folder with Parquet shards in the Hugging Face image schema, or with images in any layout.
        cache: folder of the cache.
        events: told of the progress, if it is ingested.
        stop: looked at while ingesting.
        cache_bytes: bound of the cache, in bytes; by default what the disk has.

    Raises:
        UserError: the folder has no images, or the cache no room for them.
        InterruptedRun: it was asked to stop.
    """
    with _shards(data, cache, cache_bytes, events, stop) as shards:
        return facts_of(shards)


@contextmanager
def decoded_images(
    data: Path,
    *,
    size: int,
    cache: Path,
    cache_bytes: int,
    key: str | None,
    events: Events,
    stop: StopRequest,
    clips: ClipSettings | None = None,
) -> Iterator[DecodedImages]:
    """A dataset at one resolution, from the cache or decoded now. It stays in the cache at least as long as the block lasts.

    Args:
        data: folder with Parquet shards in the Hugging Face image schema, or with images in any layout.
        size: side of the square images, in pixels.
        cache: folder of the cache.
        cache_bytes: bound of the cache, in bytes.
        key: name of the dataset's version; made from its files if none is given.
        events: told of the progress.
        stop: looked at while decoding, and while another process does.
        clips: how videos are cut; needed for a dataset of videos.

    Raises:
        UserError: there are no images, or no room for them.
        InterruptedRun: it was asked to stop.
    """
    with _shards(data, cache, cache_bytes, events, stop) as shards:
        # Unless only parts of the videos are decoded, all ways to cut them share the frames.
        parts = f"-{clips.most}x{clips.frames}x{clips.stride}" if clips is not None and clips.most is not None else ""
        entry = cache / f"{key or _key(shards)}-{size}{parts}"

        def make() -> None:
            _decode(shards, entry, size, clips, cache_bytes, events, stop)

        with shared_once_made(lock_of(entry), lambda: _is_whole(entry), make, stop):
            os.utime(entry / _INDEX)
            yield _with_labels(_open(entry, clips, shards), data / LABELS, shards)


def _with_labels(images: DecodedImages, file: Path, shards: list[Path]) -> DecodedImages:
    """With the labels that lie beside the shards in place of those in them, if there are any. The pixels are as they were."""
    if not file.exists():
        return images
    given = read_labels(file, shards)
    splits = None if given.splits is None else tuple(given.splits)
    return replace(images, labels=given.labels, label_names=given.names, splits=splits)


@contextmanager
def _shards(data: Path, cache: Path, cache_bytes: int, events: Events, stop: StopRequest) -> Iterator[list[Path]]:
    """The dataset's shards, which stay there as long as the block lasts."""
    cache.mkdir(parents=True, exist_ok=True)
    if found := sorted(path for path in data.glob("*.parquet") if path.name != LABELS):
        yield found
        return
    if not data.is_dir():
        raise UserError("no_data", f"{data} is not a folder with Parquet shards or images")
    files = sorted(
        (path.relative_to(data).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
        for path in data.rglob("*")
        if path.is_file() and not path.is_relative_to(cache) and path.name != LABELS
    )
    entry = cache / f"ingested-{sha256(json.dumps([str(data.resolve()), files]).encode()).hexdigest()[:24]}"

    def make() -> None:
        with _new(entry, sum(size for _, size, _ in files), cache_bytes, stop) as partial:
            run_ingest(data, partial, events, stop)

    with shared_once_made(lock_of(entry), (entry / _REPORT).exists, make, stop):
        os.utime(entry / _REPORT)
        yield sorted(entry.glob("*.parquet"))


@contextmanager
def _new(entry: Path, needed: int, bound: int, stop: StopRequest, *, pixels: int = 0) -> Iterator[Path]:
    """A folder to make an entry in, for which there is room. It becomes the entry when the block ends well.

    Args:
        entry: what is made; whoever makes it holds its lock alone.
        needed: bytes it will take.
        bound: of the cache, in bytes.
        stop: looked at while waiting for others who look for room.
        pixels: bytes to set aside on the disk at once, else it could run full while they are written.
    """
    partial = entry.with_name(entry.name + NEW)
    for left_over in (entry, partial):
        shutil.rmtree(left_over, ignore_errors=True)
    try:
        with exclusive(entry.with_name("room.lock"), stop):
            _make_room(entry.parent, needed, bound)
            partial.mkdir()
            if pixels:
                _set_aside(partial / _PIXELS, pixels)
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.replace(entry)


def _set_aside(path: Path, size: int) -> None:
    """A file of zeros that has its place on the disk. Without one, a full disk kills whoever writes to its memory map."""
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise UserError("cache_full", _no_disk(path.parent.parent, size)) from error
            file.truncate(size)  # a file system that sets nothing aside


def _no_disk(cache: Path, needed: int) -> str:
    free = shutil.disk_usage(cache).free
    return f"the images take {needed:,} bytes in the cache, and the disk of {cache} has {free:,} free; free some space there"


def _key(shards: list[Path]) -> str:
    known = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in shards]
    return sha256(json.dumps([str(shards[0].resolve().parent), known]).encode()).hexdigest()[:24]


def _is_whole(entry: Path) -> bool:
    try:
        index = json.loads((entry / _INDEX).read_text(encoding="utf-8"))
        return "facts" in index and bool((entry / _PIXELS).stat().st_size == index["count"] * index["size"] ** 2 * 3)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _make_room(cache: Path, needed: int, bound: int) -> None:
    """Evict entries that nobody uses, those used longest ago first, until a new one fits."""
    if needed > bound:
        raise UserError(
            "cache_full",
            f"the images take {needed:,} bytes in the cache, and it may have {bound:,}; raise PRETEXT_CACHE_BYTES, or "
            "choose a smaller `image_size`",
        )
    held = {folder: size_of(folder) for folder in entries(cache)}
    for folder in sorted(held, key=_last_used):
        if sum(held.values()) + needed <= bound and needed <= shutil.disk_usage(cache).free:
            return
        if evict(folder):
            held[folder] = 0
    if needed > shutil.disk_usage(cache).free:
        raise UserError("cache_full", _no_disk(cache, needed))
    if sum(held.values()) + needed > bound:
        raise UserError(
            "cache_full",
            f"the images take {needed:,} bytes in the cache, and running jobs hold {sum(held.values()):,} of its {bound:,}; "
            "wait for them, or raise PRETEXT_CACHE_BYTES",
        )


def _last_used(folder: Path) -> float:
    for path in (folder / _INDEX, folder / _REPORT, folder):
        with suppress(FileNotFoundError):
            return path.stat().st_mtime
    return 0


def _decode(
    shards: list[Path], entry: Path, size: int, clips: ClipSettings | None, cache_bytes: int, events: Events, stop: StopRequest
) -> None:
    groups = groups_of(shards)
    facts = facts_of(shards)
    index = {"size": size, "facts": facts.model_dump(mode="json"), **labels_of(shards)}
    if facts.kind == "image":
        count = facts.images
        work: list[_Work] = [_Images(group, size) for group in groups]
    else:
        grids = grids_of(shards)
        whole = clips is None or clips.most is None
        segments = [[Segment(0, grid.frames, 1)] if whole or not clips else segments_of(grid.frames, clips) for grid in grids]
        index["videos"] = [grid.frames for grid in grids]
        work, count = _videos(groups, grids, segments, size)
    index["count"] = count
    needed = count * size * size * 3
    with _new(entry, needed, cache_bytes, stop, pixels=needed) as partial:
        _decode_all(work, partial / _PIXELS, count, facts.kind, events, stop)
        (partial / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _decode_all(work: "Sequence[_Work]", pixels: Path, count: int, kind: str, events: Events, stop: StopRequest) -> None:
    ticker, done, started = Ticker(_TELL_SECONDS), 0, time.monotonic()
    unit = "images" if kind == "image" else "frames"
    # Forking is quick, but where torch is loaded its threads would not survive it.
    context = get_context("spawn" if "torch" in sys.modules else "fork")
    pool = ProcessPoolExecutor(cores(), context, initializer=die_with, initargs=(os.getpid(),))
    try:
        for rows in pool.map(_decode_group, work, [pixels] * len(work)):
            done += rows
            if stop:
                raise InterruptedRun
            if ticker.due() or done == count:
                rate = done / (time.monotonic() - started)
                speed = {"images_per_second": rate} if kind == "image" else {}
                events.emit("progress", phase="decode", done=done, total=count, unit=unit, **speed)
    except BrokenProcessPool as error:
        message = f"a process that decodes {unit} was killed after {done:,} of {count:,}, most likely for want of memory; free some"
        raise UserError("decoder_crashed", message) from error
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Images:
    """A row group of images."""

    group: Group
    size: int

    @property
    def first(self) -> int:
        """Row of the map that its first pixels go to."""
        return self.group.first

    @property
    def rows(self) -> int:
        """Rows that it fills."""
        return self.group.rows

    def decode(self, into: npt.NDArray[np.uint8]) -> None:
        """Fill `into`, uint8 (rows, size, size, 3)."""
        for place, content in enumerate(self.group.contents()):
            try:
                into[place] = decode_square(content, self.size)
            except ImageError as error:
                message = f"image {self.group.first + place} of the dataset cannot be decoded: {error.reason}"
                raise UserError("damaged_dataset", message) from error


@dataclass(frozen=True)
class _Videos:
    """A row group of videos."""

    group: Group
    size: int
    first: int
    grids: Sequence[Grid]
    segments: Sequence[Sequence[Segment]]

    @property
    def rows(self) -> int:
        """Rows that it fills."""
        return sum(segment.frames for segments in self.segments for segment in segments)

    def decode(self, into: npt.NDArray[np.uint8]) -> None:
        """Fill `into`, uint8 (rows, size, size, 3)."""
        place = 0
        for number, source in enumerate(self.group.videos()):
            pieces = [(segment.first, segment.frames) for segment in self.segments[number]]
            count = sum(frames for _, frames in pieces)
            try:
                decode_segments(source, self.grids[number], pieces, self.size, into[place : place + count])
            except ImageError as error:
                message = f"video {self.group.first + number} of the dataset cannot be decoded: {error.reason}"
                raise UserError("damaged_dataset", message) from error
            place += count


_Work = _Images | _Videos


def _videos(groups: list[Group], grids: list[Grid], segments: Sequence[Sequence[Segment]], size: int) -> tuple[list[_Work], int]:
    """What is decoded of each group, and the number of frames."""
    work: list[_Work] = []
    place = 0
    for group in groups:
        rows = slice(group.first, group.first + group.rows)
        part = _Videos(group, size, place, grids[rows], segments[rows])
        place += part.rows
        if part.rows:
            work.append(part)
    return work, place


def _decode_group(work: _Work, pixels: Path) -> int:
    shape = (work.rows, work.size, work.size, 3)
    into = np.memmap(pixels, np.uint8, "r+", offset=work.first * work.size**2 * 3, shape=shape)
    with quiet:
        work.decode(into)
    into.flush()
    return work.rows


def _open(entry: Path, settings: ClipSettings | None, shards: Sequence[Path]) -> DecodedImages:
    index = json.loads((entry / _INDEX).read_text(encoding="utf-8"))
    shape = (index["count"], index["size"], index["size"], 3)
    # Private and writable, because torch takes no read-only memory; nothing is reserved for it, so it may be larger than memory.
    flags, access = mmap.MAP_PRIVATE | _MAP_NORESERVE, mmap.PROT_READ | mmap.PROT_WRITE
    with (entry / _PIXELS).open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, flags=flags, prot=access)
    if len(mapped) > _KEPT_IN_MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
        # Images are read in random order, and the kernel would read megabytes around each, in vain if they do not stay in memory.
        mapped.madvise(mmap.MADV_RANDOM)
    images = np.frombuffer(mapped, np.uint8).reshape(shape)
    labels = None if index["labels"] is None else np.array(index["labels"], np.int64)
    facts = DatasetFacts.model_validate(index["facts"])
    splits = None if index["splits"] is None else tuple(index["splits"])
    clips = None
    if facts.kind == "video" and settings is not None:
        clips = clip_table([segments_of(frames, settings) for frames in index["videos"]], settings)
    return DecodedImages(images, facts, labels, tuple(index["label_names"]), splits, clips, tuple(shards), mapped)
