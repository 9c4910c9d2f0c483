"""Checking files in processes of their own: as fast as the machine decodes, and a decoder that crashes costs one image or video."""

import os
import resource
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from ssl_core.images import ImageError, inspect, quiet
from ssl_core.ingest.ends import end_of
from ssl_core.ingest.kinds import Kind
from ssl_core.ingest.limits import Limits
from ssl_core.ingest.refusal import Refusal
from ssl_core.process import die_with
from ssl_core.videos import HEAD, VideoFacts, inspect_video, kind_of, load_decoders

_MOST_BYTES = 512 << 20
"""Of images under way; many small ones never come near it, a few of the largest do."""
_SECONDS_TO_KILL = 2.0
"""Seconds of processor time that a decoder gets to notice that its time is up; one that is stuck in native code never does."""


class Checked(NamedTuple):
    """A usable image."""

    format: str
    mode: str
    width: int
    height: int
    digest: bytes
    """SHA-256 of what is stored of it."""
    end: int
    """Bytes of the image; what the file has behind them is not stored."""


class CheckedVideo(NamedTuple):
    """A usable video."""

    facts: VideoFacts
    preview: bytes
    """An animated WebP."""
    digest: bytes
    """SHA-256 of the file."""


@dataclass(frozen=True)
class Batch:
    """Files on their way through a check."""

    names: list[str]
    contents: list[bytes]

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(map(len, self.contents))


Result = Checked | CheckedVideo | Refusal


def check_video(content: bytes, limits: Limits) -> CheckedVideo:
    """Check one video.

    Raises:
        ImageError: it is no usable video.
    """
    facts, preview = inspect_video(content, max_pixels=limits.max_frame_pixels, max_frames=limits.max_frames)
    return CheckedVideo(facts, preview, sha256(content).digest())


def check(content: bytes, max_pixels: int) -> Checked:
    """Check one image.

    Raises:
        ImageError: it is no usable image.
    """
    end = end_of(content)
    image = content if end is None or end == len(content) else content[:end]
    facts = inspect(image, max_pixels=max_pixels)
    return Checked(facts.format, facts.mode, facts.width, facts.height, sha256(image).digest(), len(image))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


class Checker:
    """Checks batches in as many processes as there are cores, in order, with few batches under way so that memory stays flat."""

    def __init__(self, limits: Limits, processes: int | None = None, *, kind: Kind = "image") -> None:
        self._limits = limits
        self._kind = kind
        if kind == "video":
            load_decoders()  # before the processes are forked, and what they may take is limited
        self._processes = processes or cores()
        self._pool = self._new_pool(self._processes)

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Sequence[Result]]]:
        """Results of each batch, in the order of the batches."""
        under_way: deque[tuple[Batch, Future[list[Result]]]] = deque()
        for batch in batches:
            under_way.append((batch, self._submit(batch)))
            if len(under_way) > self._processes + 1 or sum(waiting.size for waiting, _ in under_way) > _MOST_BYTES:
                yield self._oldest(under_way)
        while under_way:
            yield self._oldest(under_way)

    def _submit(self, batch: Batch) -> "Future[list[Result]]":
        try:
            return self._pool.submit(_check_all, batch.contents, self._limits, self._kind)
        except BrokenProcessPool as error:
            broken: Future[list[Result]] = Future()
            broken.set_exception(error)
            return broken

    def _oldest(self, under_way: "deque[tuple[Batch, Future[list[Result]]]]") -> tuple[Batch, Sequence[Result]]:
        batch, future = under_way.popleft()
        try:
            return batch, future.result()
        except BrokenProcessPool:
            self._pool.shutdown()
            results = self._one_by_one(batch)
            self._pool = self._new_pool(self._processes)
            for place, (other, _) in enumerate(under_way):
                under_way[place] = (other, self._submit(other))
            return batch, results

    def _one_by_one(self, batch: Batch) -> list[Result]:
        """One of these images ends the process that decodes it: find it, and let the others through."""
        results: list[Result] = []
        pool = self._new_pool(1)
        for content in batch.contents:
            try:
                results += pool.submit(_check_all, [content], self._limits, self._kind).result()
            except BrokenProcessPool:
                results.append(Refusal("decoder_crashed", f"the {self._kind} crashed its decoder, or kept it busy for ever"))
                pool.shutdown()
                pool = self._new_pool(1)
        pool.shutdown()
        return results

    def _new_pool(self, processes: int) -> ProcessPoolExecutor:
        # Forked: all they need is loaded here already, and there is no thread yet that could hold a lock.
        most = self._limits.max_decoder_bytes
        return ProcessPoolExecutor(processes, get_context("fork"), initializer=_start, initargs=(os.getpid(), most))


class _TooSlowError(BaseException):
    """No `Exception`, for decoders are wrapped in code that takes each of those for a damaged file."""


def _start(parent: int, most_bytes: int) -> None:
    die_with(parent)
    taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + most_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches them too; their parent decides what becomes of them
    signal.signal(signal.SIGALRM, _too_slow)


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise _TooSlowError


def _check_all(contents: list[bytes], limits: Limits, kind: Kind) -> list[Result]:
    with quiet:  # once for all: small images would spend much of their time on it
        return [_check_one(content, limits, kind) for content in contents]


def _check_one(content: bytes, limits: Limits, kind: Kind) -> Result:
    seconds = limits.max_seconds if kind == "image" else limits.max_video_seconds
    # The first timer raises an error, for which Python code has to run; the second ends the process.
    signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds + _SECONDS_TO_KILL)
    try:
        return check(content, limits.max_pixels) if kind == "image" else check_video(content, limits)
    except ImageError as error:
        if kind == "image" and kind_of(content[:HEAD]) in {"mov", "matroska", "avi"}:
            return Refusal("video", "it is a video in a set of images")
        return Refusal(error.code, error.reason)
    except MemoryError:
        return Refusal("too_much_memory", f"decoding it takes more than {limits.max_decoder_bytes:,} bytes of memory")
    except _TooSlowError:
        return Refusal("too_slow", f"it takes longer than {seconds:g} s to decode")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
