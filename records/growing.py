"""A file that grows over several requests, in any of several processes, one at a time."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from records.errors import DiskFullError, LockedError

_SYNC_BYTES = 256 << 20
"""Bytes that a power cut may take of a request that is not answered yet. What was answered is safe."""


class GrowingFile:
    """A file that is held for appending. What was written stays, however the holding ends.

    Args:
        descriptor: of the open file, at its end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unsynced = 0
        self.size = os.fstat(descriptor).st_size

    def write(self, chunk: bytes) -> None:
        """Append bytes. Of a chunk that does not fit on the disk, the beginning may stay.

        Raises:
            DiskFullError: there is no room.
        """
        left = memoryview(chunk)
        with no_room_is_an_answer():
            while left:
                written = os.pwrite(self._descriptor, left, self.size)
                self.size += written
                self._unsynced += written
                left = left[written:]
            if self._unsynced >= _SYNC_BYTES:
                self.sync()

    def sync(self) -> None:
        """Wait until all is safe on the disk."""
        with no_room_is_an_answer():
            os.fsync(self._descriptor)
        self._unsynced = 0

    def cut(self, size: int) -> None:
        """Take back what was written behind a place."""
        if size < self.size:
            os.ftruncate(self._descriptor, size)
            self.size = size


@contextmanager
def grow(path: Path) -> Iterator[GrowingFile]:
    """Hold a file for appending, alone among all processes; made if it is not there.

    The lock is the kernel's (also over NFS 4), so a killed process holds nothing.

    Raises:
        LockedError: it is held already.
        DiskFullError: there is no room.
    """
    with no_room_is_an_answer():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError from error
        yield GrowingFile(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def no_room_is_an_answer() -> Iterator[None]:
    """Tell a full disk as what it is."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFullError from error
        raise
