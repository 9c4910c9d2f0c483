"""Decoding what strangers send in a process of its own: a decoder that crashes, or never ends, costs one image. Torch-free."""

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import FrameType

import numpy as np
import numpy.typing as npt

from ssl_core.images import ImageError, decode_square, quiet
from ssl_core.process import die_with

Pixels = npt.NDArray[np.uint8]
MAX_SECONDS = 5
"""Longest that one image may take to decode, in seconds."""
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
    # The first timer raises an error, for which Python code has to run; the second ends the process.
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS + _SECONDS_TO_KILL)
    try:
        return decode_square(content, size)
    except ImageError as error:
        return error.reason
    except MemoryError:
        return "decoding it takes more memory than there is"
    except _TooSlowError:
        return f"it takes longer than {MAX_SECONDS} s to decode"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
