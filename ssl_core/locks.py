"""Locks that processes share a folder by. They are the kernel's, so those of a killed process are gone with it."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ssl_core.errors import InterruptedRun
from ssl_core.process import StopRequest

_POLL_SECONDS = 0.1


@contextmanager
def exclusive(path: Path, stop: StopRequest) -> Iterator[None]:
    """Hold a lock alone; wait for those who hold it.

    Raises:
        InterruptedRun: it was asked to stop while it waited.
    """
    with path.open("w") as file:
        _wait(file, fcntl.LOCK_EX, stop)
        yield


@contextmanager
def shared_once_made(path: Path, is_made: Callable[[], bool], make: Callable[[], None], stop: StopRequest) -> Iterator[None]:
    """Hold a lock together with others who use the same thing, which the first of them makes while it holds the lock alone.

    Args:
        path: the lock's file.
        is_made: whether the thing is there, and whole.
        make: makes it.
        stop: looked at while waiting.

    Raises:
        InterruptedRun: it was asked to stop while it waited.
    """
    with path.open("w") as file:
        _wait(file, fcntl.LOCK_SH, stop)
        while not is_made():
            _wait(file, fcntl.LOCK_EX, stop)
            if not is_made():  # else somebody made it between the two locks
                make()
            _wait(file, fcntl.LOCK_SH, stop)  # in between, somebody may have taken it away again
        yield


@contextmanager
def exclusive_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock alone if nobody holds it; says whether it is held."""
    with path.open("w") as file:
        yield _try(file, fcntl.LOCK_EX)


def _wait(file: IO[str], kind: int, stop: StopRequest) -> None:
    while not _try(file, kind):
        if stop:
            raise InterruptedRun
        time.sleep(_POLL_SECONDS)


def _try(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
