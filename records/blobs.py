"""Blobs: uploads, shards, checkpoints and models, behind an interface that a local folder and an object store can both give.

A blob belongs to one record, whose id is in its key, so that deleting the record's prefix frees its bytes.
A blob is whole or not there, and is never changed. What arrives over several requests grows beside the blobs until it is whole.
"""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from records.growing import grow
from records.growing import no_room_is_an_answer as _no_room_is_an_answer

_CHUNK = 1 << 20
_GROWING = ".growing"


class BlobWriter(Protocol):
    """A blob in the making."""

    size: int
    """Bytes so far."""

    def write(self, chunk: bytes) -> None:
        """Append bytes.

        Raises:
            DiskFullError: there is no room.
        """

    def digest(self) -> str:
        """SHA-256 of what was written, in hexadecimal."""


class Growing(Protocol):
    """Something that grows over several requests, held by one of them alone."""

    size: int
    """Bytes so far."""

    def write(self, chunk: bytes) -> None:
        """Append bytes; they stay, however the holding ends.

        Raises:
            DiskFullError: there is no room.
        """

    def sync(self) -> None:
        """Wait until all of it would outlive a power cut."""

    def cut(self, size: int) -> None:
        """Take back what was written behind a place."""


class Blobs(Protocol):
    """A store of blobs by key. Keys are made by us alone: `/`-separated words, never a name that a user chose."""

    def writer(self, key: str) -> AbstractContextManager[BlobWriter]:
        """Write a blob piece by piece; it appears when the block ends, and not at all if an exception comes out."""

    def put(self, key: str, path: Path) -> None:
        """Store a file, which is not changed any more; its content may be shared with the blob."""

    def path(self, key: str) -> Path:
        """A local file with the content of a blob.

        Raises:
            FileNotFoundError: there is none.
        """

    def grow(self, key: str) -> AbstractContextManager[Growing]:
        """Hold what grows at a key, alone among all processes, to append to it.

        Raises:
            LockedError: it is held already.
        """

    def grown(self, key: str) -> int:
        """Bytes that have grown at a key."""

    def ripen(self, key: str, target: str) -> None:
        """Let what has grown at a key be the blob `target` too, which shares its bytes. To be called while it is held."""

    def delete(self, prefix: str) -> None:
        """Delete a blob, or all below a prefix; nothing happens if there is none."""

    def free_bytes(self) -> int | None:
        """Room that is left; None if there is no telling."""

    def aged(self, seconds: float) -> Iterator[str]:
        """Keys of the blobs that were stored at least so many seconds ago. Those that nobody finished are thrown away."""


class LocalBlobs:
    """Blobs in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def writer(self, key: str) -> Iterator["_LocalWriter"]:
        target = self._file(key)
        with _no_room_is_an_answer():
            target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            with _no_room_is_an_answer(), partial.open("wb") as file:
                yield _LocalWriter(file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def put(self, key: str, path: Path) -> None:
        target = self._file(key)
        with _no_room_is_an_answer():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
            try:
                try:
                    os.link(path, partial)
                except OSError as error:
                    if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}:
                        raise
                    shutil.copyfile(path, partial)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)

    def path(self, key: str) -> Path:
        file = self._file(key)
        if not file.is_file():
            raise FileNotFoundError(errno.ENOENT, "this blob is gone from the store", key)
        return file

    def grow(self, key: str) -> AbstractContextManager[Growing]:
        return grow(self._growing(key))

    def grown(self, key: str) -> int:
        try:
            return self._growing(key).stat().st_size
        except FileNotFoundError:
            return 0

    def ripen(self, key: str, target: str) -> None:
        self.put(target, self._growing(key))

    def delete(self, prefix: str) -> None:
        file = self._file(prefix)
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)

    def free_bytes(self) -> int | None:
        return shutil.disk_usage(self._root).free

    def aged(self, seconds: float) -> Iterator[str]:
        before = time.time() - seconds
        for folder, _, names in os.walk(self._root):
            for name in names:
                file = Path(folder, name)
                try:
                    # Not its mtime: a file that is linked into the store has the one that it was written at.
                    young = file.stat().st_ctime > before
                except FileNotFoundError:
                    continue
                if young or name.endswith(_GROWING):
                    continue
                if name.startswith("."):
                    file.unlink(missing_ok=True)
                else:
                    yield file.relative_to(self._root).as_posix()

    def _growing(self, key: str) -> Path:
        file = self._file(key)
        return file.with_name(f".{file.name}{_GROWING}")

    def _file(self, key: str) -> Path:
        words = key.split("/")
        assert all(word and not word.startswith(".") for word in words), key
        return self._root.joinpath(*words)


class _LocalWriter:
    def __init__(self, file: BinaryIO) -> None:
        self.size = 0
        self._file = file
        self._hash = sha256()

    def write(self, chunk: bytes) -> None:
        with _no_room_is_an_answer():
            self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def digest(self) -> str:
        return self._hash.hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def open_blobs(url: str) -> Blobs:
    """The store at a URL.

    Raises:
        ValueError: there is no store of this kind.
    """
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc:
        raise ValueError(f"PRETEXT_BLOBS_URL must look like file:///a/folder, not {url!r}")
    return LocalBlobs(Path(unquote(parts.path)))
