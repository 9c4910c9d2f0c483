"""Checking images in processes of their own: as fast as the machine decodes, and a decoder that crashes costs one image."""

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from types import FrameType
from typing import NamedTuple

from ssl_core.images import ImageError, inspect, quiet
from ssl_core.ingest.limits import Limits
from ssl_core.ingest.refusal import Refusal
from ssl_core.process import die_with

DIGEST_BYTES = 16
"""Of a SHA-256; enough that two different images never share one by chance."""
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


@dataclass(frozen=True)
class Batch:
    """Images on their way through a check."""

    names: list[str]
    contents: list[bytes]

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(map(len, self.contents))


Result = Checked | Refusal


def check(content: bytes, max_pixels: int) -> Checked:
    """Check one image.

    Raises:
        ImageError: it is no usable image.
    """
    facts = inspect(content, max_pixels=max_pixels)
    return Checked(facts.format, facts.mode, facts.width, facts.height, sha256(content).digest()[:DIGEST_BYTES])


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


class Checker:
    """Checks batches in as many processes as there are cores, in order, with few batches under way so that memory stays flat."""

    def __init__(self, limits: Limits, processes: int | None = None) -> None:
        self._limits = limits
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
            return self._pool.submit(_check_all, batch.contents, self._limits)
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
                results += pool.submit(_check_all, [content], self._limits).result()
            except BrokenProcessPool:
                results.append(Refusal("decoder_crashed", "the image crashed its decoder, or kept it busy for ever"))
                pool.shutdown()
                pool = self._new_pool(1)
        pool.shutdown()
        return results

    @staticmethod
    def _new_pool(processes: int) -> ProcessPoolExecutor:
        # Forked: all they need is loaded here already, and there is no thread yet that could hold a lock.
        return ProcessPoolExecutor(processes, get_context("fork"), initializer=_start, initargs=(os.getpid(),))


class _TooSlowError(Exception):
    pass


def _start(parent: int) -> None:
    die_with(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches them too; their parent decides what becomes of them
    signal.signal(signal.SIGALRM, _too_slow)


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise _TooSlowError


def _check_all(contents: list[bytes], limits: Limits) -> list[Result]:
    with quiet:  # once for all: small images would spend much of their time on it
        return [_check_one(content, limits) for content in contents]


def _check_one(content: bytes, limits: Limits) -> Result:
    too_slow = Refusal("too_slow", f"it takes longer than {limits.max_seconds:g} s to decode")
    # The first timer raises an error, for which Python code has to run; the second ends the process.
    signal.setitimer(signal.ITIMER_REAL, limits.max_seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, limits.max_seconds + _SECONDS_TO_KILL)
    try:
        return check(content, limits.max_pixels)
    except ImageError as error:
        return too_slow if isinstance(error.__cause__, _TooSlowError) else Refusal(error.code, error.reason)
    except _TooSlowError:
        return too_slow
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
