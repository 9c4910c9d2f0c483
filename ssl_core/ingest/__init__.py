"""Ingest: an archive of images or videos becomes Parquet shards and a report. Torch-free."""

import errno
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from ssl_core.errors import InterruptedRun, UserError
from ssl_core.events import Events, Ticker
from ssl_core.images import ImageError
from ssl_core.ingest.archives import Source, open_source
from ssl_core.ingest.checks import Batch, CheckedVideo, Checker, Result
from ssl_core.ingest.entries import DamagedError, Entry, check_total
from ssl_core.ingest.files import FileList
from ssl_core.ingest.frames import Clips, clip_of, packed
from ssl_core.ingest.kinds import Guess, Kind
from ssl_core.ingest.labels import Folders, Labelling, find_labels
from ssl_core.ingest.limits import Limits
from ssl_core.ingest.names import is_clutter, printable, refusal_of
from ssl_core.ingest.refusal import Refusal
from ssl_core.ingest.report import Report
from ssl_core.ingest.shards import Row, ShardWriter, VideoRow
from ssl_core.ingest.unchanged import completed
from ssl_core.process import StopRequest
from ssl_core.videos import HEAD, SUFFIXES, is_video, kind_of

__all__ = ["run_ingest"]

_BATCH_IMAGES = 128
_BATCH_VIDEOS = 8
_BATCH_BYTES = 8 << 20
_TELL_SECONDS = 0.5


@dataclass(frozen=True)
class _Scan:
    members: int
    bytes: int
    """Of those that may be taken."""
    kind: Kind
    labelling: Labelling
    clips: Counter[str] | None
    """Number of frames of each clip, if the videos come as folders of frames."""


def run_ingest(
    source: Path,
    out: Path,
    events: Events,
    stop: StopRequest,
    *,
    filename: str | None = None,
    kind: Literal["auto", "image", "video"] = "auto",
    limits: dict[str, Any] | None = None,
    base: Path | None = None,
) -> dict[str, Any]:
    """Check every member of a source and write the images or videos to `out`, with a report and lists of the refused and the taken.

    Args:
        source: archive, folder or single file.
        out: folder for what this makes.
        events: told of the progress.
        stop: looked at between members.
        filename: the name that the source was uploaded under.
        kind: what is in it; by default guessed from the content.
        limits: overrides of single limits.
        base: folder with the shards of an earlier dataset, if the source leaves out files that it has; see `unchanged`.

    Returns:
        The report.

    Raises:
        UserError: it is no archive, it is empty, it breaks a limit, or it has no usable image; the report is there all the same.
        InterruptedRun: it was asked to stop; it starts anew the next time.
    """
    try:
        bounds = Limits.model_validate(limits or {})
    except ValidationError as error:
        raise UserError("invalid_limits", f"--limits: {error}") from error
    try:
        opened = open_source(source, filename or source.name, bounds)
        whole = opened if base is None else completed(opened, base, out, bounds, stop)
        return _ingest(whole, out, events, stop, bounds, kind)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        free = shutil.disk_usage(out).free
        message = f"the disk of {out} is full ({free:,} bytes free); free some space there and upload the archive again"
        raise UserError("disk_full", message) from error


def _ingest(
    source: Source, out: Path, events: Events, stop: StopRequest, limits: Limits, asked: Literal["auto", "image", "video"]
) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    for left_over in (*out.glob("shard-*.parquet"), *out.glob(".shard-*.new"), out / "report.json"):
        left_over.unlink(missing_ok=True)  # an earlier attempt's
    scan = _scan(source, events, stop, limits, asked)
    free = shutil.disk_usage(out).free
    if scan.bytes > free:
        message = (
            f"the {scan.kind}s take {scan.bytes:,} bytes, and the disk of {out} has {free:,} free; "
            "free some space and upload them again"
        )
        raise UserError("disk_full", message)
    with Report(out, scan.kind) as report:
        shards = ShardWriter(out, scan.labelling.names, splits=scan.labelling.has_splits, kind=scan.kind)
        with shards as writer, FileList(out) as files:
            _read_all(source, scan, report, _Taken(scan, report, writer, files), events=events, stop=stop, limits=limits)
        told = report.finish(scan.labelling, writer.shards)
    if not report.images:
        raise _no_images(source, scan, report)
    names = [shard["name"] for shard in told["shards"]]
    events.emit("result", report=str(out / "report.json"), shards=names, images=report.images, refused=told["refused"])
    return told


def _no_images(source: Source, scan: _Scan, report: Report) -> UserError:
    if report.damage and not report.refused:
        return UserError("not_an_archive", f"nothing of the {source.kind} can be read: {report.damage}. Upload it again, whole.")
    if not scan.members:
        return UserError("empty_archive", f"the {source.kind} has no files in it; put images or videos in it and upload it again")
    reasons = ", ".join(f"{count} {code}" for code, count in report.refused.most_common()) or "all are hidden files"
    return UserError(
        f"no_usable_{scan.kind}", f"none of the {scan.members:,} files is a usable {scan.kind} ({reasons}); the report names each"
    )


def _scan(source: Source, events: Events, stop: StopRequest, limits: Limits, asked: Literal["auto", "image", "video"]) -> _Scan:
    """First pass: names and sizes, bounds checked before a byte is unpacked that need not be."""
    members, total, wanted = 0, 0, 0
    folders: dict[Kind, Folders] = {"image": Folders("image"), "video": Folders("video")}
    guess = Guess()
    ticker = Ticker(_TELL_SECONDS)
    try:
        for entry in source.entries():
            members += 1
            total += entry.size
            if members > limits.max_members:
                raise UserError("archive_too_large", f"the archive has more than {limits.max_members:,} members; split it")
            check_total(total, source.size, limits)
            if not is_clutter(entry.name) and _refuse(entry, limits) is None:
                wanted += entry.size
                for counted in folders.values():
                    counted.add(entry.name)
                if asked == "auto":
                    guess.add(entry)
            _stop_if_asked(stop)
            if ticker.due():
                events.emit("progress", phase="scan", done=members, total=None, unit="files")
    except DamagedError:
        pass  # the second pass comes to the same place, and reports it
    kind = guess.kind() if asked == "auto" else asked
    if kind == "image" or folders["video"].counts():
        return _Scan(members, wanted, kind, find_labels(folders[kind].counts()), None)
    frames = folders["image"].counts()
    # A clip is a folder, so what tells its class is the folder around it.
    labelling = find_labels(Counter(dict.fromkeys(frames, 1)), of_folders=True)
    return _Scan(
        members, wanted, kind, labelling, Counter({"/".join(folder) or "frames": count for folder, count in frames.items()})
    )


def _read_all(
    source: Source,
    scan: _Scan,
    report: Report,
    taken: "_Taken",
    *,
    events: Events,
    stop: StopRequest,
    limits: Limits,
) -> None:
    """Second pass: check the images in other processes, and write those that are good."""
    checker = Checker(limits, kind=scan.kind)
    ticker = Ticker(_TELL_SECONDS)
    started, checked = time.monotonic(), 0
    unit = f"{scan.kind}s"
    members = scan.members if scan.clips is None else len(scan.clips)
    try:
        for batch, results in checker.run(_batches(source, scan, report, stop, limits)):
            _stop_if_asked(stop)
            for name, content, result in zip(batch.names, batch.contents, results, strict=True):
                taken.add(name, content, result)
            checked += len(results)
            if ticker.due():
                rate = checked / (time.monotonic() - started)
                done = min(members, report.images + sum(report.refused.values()) + report.passed_over)
                speed = {"images_per_second": rate} if scan.kind == "image" else {}
                events.emit("progress", phase="ingest", done=done, total=members, unit=unit, **speed)
        events.emit("progress", phase="ingest", done=members, total=members, unit=unit)
    finally:
        checker.close()


class _Taken:
    """Where every file goes that was checked: the good ones into the shards, all into the report."""

    def __init__(self, scan: _Scan, report: Report, writer: ShardWriter, files: FileList) -> None:
        self._scan = scan
        self._report = report
        self._writer = writer
        self._files = files

    def add(self, name: str, content: bytes, result: Result) -> None:
        """Take a file, or note why it is not taken."""
        if isinstance(result, Refusal):
            self._report.refuse(name, result)
            return
        sample = self._report.images
        label, split = self._scan.labelling.of(name)
        if isinstance(result, CheckedVideo):
            self._writer.add_video(VideoRow(content, printable(name), result.facts, result.preview, label, split))
            self._report.take_video(name, result, len(content), label, split)
            as_it_came = self._scan.clips is None or name not in self._scan.clips
        else:
            as_it_came = result.end == len(content)
            image = content if as_it_came else content[: result.end]
            self._writer.add(Row(image, printable(name), result.width, result.height, label, split))
            self._report.take(result, len(image), label, split)
            self._report.left_out(len(content) - len(image))
        if as_it_came:
            self._files.add(name, len(content), result.digest, sample)


def _batches(source: Source, scan: _Scan, report: Report, stop: StopRequest, limits: Limits) -> Iterator[Batch]:
    batch, size = Batch([], []), 0
    most = _BATCH_IMAGES if scan.kind == "image" else _BATCH_VIDEOS
    members = _contents(source, report, stop, limits)
    for name, content in members if scan.kind == "image" else _videos(members, scan, report, limits):
        batch.names.append(name)
        batch.contents.append(content)
        size += len(content)
        if len(batch.names) >= most or size >= _BATCH_BYTES:
            yield batch
            batch, size = Batch([], []), 0
    if batch.names:
        yield batch


def _videos(members: Iterable[tuple[str, bytes]], scan: _Scan, report: Report, limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Videos as they are, and clips of frames as videos."""
    clips = None if scan.clips is None else Clips(scan.clips)
    for name, content in members:
        moves = is_video(content)
        if clips is None or moves:
            if moves or kind_of(content[:HEAD]) is None:
                yield name, content
            else:
                report.refuse(name, Refusal("not_a_video", "it is a still image in a set of videos"))
            continue
        try:
            for clip, frames in clips.add(name, content):
                yield from _packed(clip, frames, report, limits)
        except ImageError as error:
            report.refuse(clip_of(name), Refusal(error.code, error.reason))
    if clips is not None:
        for clip, frames in clips.rest():
            yield from _packed(clip, frames, report, limits)


def _packed(clip: str, frames: list[bytes], report: Report, limits: Limits) -> Iterator[tuple[str, bytes]]:
    try:
        yield clip, packed(frames, limits.max_frame_pixels)
    except ImageError as error:
        report.refuse(clip, Refusal(error.code, error.reason))


def _contents(source: Source, report: Report, stop: StopRequest, limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of what may be an image or a video."""
    try:
        for entry in source.entries():
            _stop_if_asked(stop)
            if is_clutter(entry.name) and refusal_of(entry.name) is None:
                report.passed_over += 1
                continue
            refusal = _refuse(entry, limits)
            if refusal is not None:
                report.refuse(entry.name, refusal)
                continue
            try:
                content = entry.read()
            except ImageError as error:
                report.refuse(entry.name, Refusal(error.code, error.reason))
                continue
            yield entry.name, content
    except DamagedError as error:
        report.damage = str(error)


def _refuse(entry: Entry, limits: Limits) -> Refusal | None:
    return refusal_of(entry.name) or entry.refusal or _refuse_size(entry, limits)


def _refuse_size(entry: Entry, limits: Limits) -> Refusal | None:
    size = max(entry.size, entry.packed)
    if entry.name.lower().endswith(SUFFIXES):
        if size > limits.max_video_bytes:
            told = f"it has {size:,} bytes; at most {limits.max_video_bytes:,} are taken of a video; cut it into parts"
            return Refusal("too_large", told)
    elif size > limits.max_member_bytes:
        return Refusal("too_large", f"it has {size:,} bytes; at most {limits.max_member_bytes:,} are taken")
    if entry.size > limits.ratio_floor_bytes and entry.size > limits.max_ratio * max(1, entry.packed):
        return Refusal("too_large", f"it unpacks to more than {limits.max_ratio:.0f} times its size")
    return None


def _stop_if_asked(stop: StopRequest) -> None:
    if stop:
        raise InterruptedRun
