"""Decoding what strangers send in a process of its own: a decoder that crashes, or never ends, costs one image. Torch-free."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from types import FrameType

import numpy as np
import numpy.typing as npt

from ssl_core.clips import ClipSettings
from ssl_core.errors import UserError
from ssl_core.excerpt import excerpt
from ssl_core.images import ImageError, decode_square, quiet
from ssl_core.process import die_with

Pixels = npt.NDArray[np.uint8]
MAX_SECONDS = 5
"""Longest that one image may take to decode, in seconds."""
_EXCERPT_SECONDS = 20
_SECONDS_TO_KILL = 2.0
"""Seconds of processor time that a decoder gets to notice that its time is up; one that is stuck in native code never does."""


class Decoder:
    """Decodes images to squares, as a dataset's are."""

    def __init__(self) -> None:
        self._pool = _new_pool()

    def warm_up(self) -> None:
        """Have the process loaded before it is needed."""
        self._pool.submit(os.getpid)

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown(cancel_futures=True)

    def run(self, contents: list[bytes], size: int) -> list[Pixels | str]:
        """Each as uint8 (size, size, 3), or why it is no usable image."""
        try:
            return self._pool.submit(_decode_all, contents, size).result()
        except BrokenProcessPool:
            self._renew()
        return [self._alone(content, size) for content in contents]

    def excerpt(self, shards: list[Path], size: int, count: int, clips: ClipSettings | None) -> Pixels:
        """A few samples of a dataset, as of `ssl_core.excerpt.excerpt`.

        Raises:
            UserError: the dataset cannot be read, or decoding it crashes, or never ends.
        """
        try:
            return self._pool.submit(_excerpt, shards, size, count, clips).result()
        except BrokenProcessPool:
            self._renew()
        raise UserError("damaged_dataset", "a sample of the dataset crashed its decoder, or kept it busy for ever")

    def _alone(self, content: bytes, size: int) -> Pixels | str:
        """One of several of which one has ended the process."""
        try:
            return self._pool.submit(_decode_all, [content], size).result()[0]
        except BrokenProcessPool:
            self._renew()
            return "the image crashed its decoder, or kept it busy for ever"

    def _renew(self) -> None:
        self._pool.shutdown()
        self._pool = _new_pool()


def _new_pool() -> ProcessPoolExecutor:
    # Spawned: the process that this is for has loaded torch, and its threads would not survive a fork.
    return ProcessPoolExecutor(1, get_context("spawn"), initializer=_start, initargs=(os.getpid(),))


class _TooSlowError(BaseException):
    """No `Exception`, for decoders are wrapped in code that takes each of those for a damaged file."""


def _start(parent: int) -> None:
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _too_slow)


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise _TooSlowError


def _decode_all(contents: list[bytes], size: int) -> list[Pixels | str]:
    with quiet:
        return [_decode(content, size) for content in contents]


def _decode(content: bytes, size: int) -> Pixels | str:
    try:
        with _limited(MAX_SECONDS):
            return decode_square(content, size)
    except ImageError as error:
        return error.reason
    except MemoryError:
        return "decoding it takes more memory than there is"
    except _TooSlowError:
        return f"it takes longer than {MAX_SECONDS} s to decode"


def _excerpt(shards: list[Path], size: int, count: int, clips: ClipSettings | None) -> Pixels:
    try:
        with quiet, _limited(_EXCERPT_SECONDS):
            return excerpt(shards, size, count, clips)
    except MemoryError as error:
        raise UserError("damaged_dataset", "decoding a sample of the dataset takes more memory than there is") from error
    except _TooSlowError as error:
        raise UserError("too_slow", f"decoding a few samples takes longer than {_EXCERPT_SECONDS} s") from error


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """Bound what is done within. The first timer raises an error, for which Python code has to run; the second ends the process.

    Raises:
        _TooSlowError: it takes longer.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds + _SECONDS_TO_KILL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
