"""Blobs: uploads, shards, checkpoints and models, behind an interface that a local folder and an object store can both give.

A blob belongs to one record, whose id is in its key, so that deleting the record's prefix frees its bytes.
A blob is whole or not there, and is never changed. What arrives over several requests grows beside the blobs until it is whole.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from records.growing import grow
from records.growing import no_room_is_an_answer as _no_room_is_an_answer

_CHUNK = 1 << 20


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


@dataclass(frozen=True)
class Kept:
    """Something in the store."""

    key: str
    """Of a blob, its key; of one in the making, the name of where it is made."""
    bytes: int
    changed_at: float
    """When it got here, or was last written to, in seconds of Unix time."""
    whole: bool
    """Whether it is a blob, and not one in the making, which may have been given up."""


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

    def walk(self) -> Iterator["Kept"]:
        """All that is in the store, in order, so that what belongs to one record is together."""

    def discard(self, kept: "Kept") -> None:
        """Delete what `walk` has found, unless it was changed since."""

    def free_bytes(self) -> int | None:
        """Room that is left; None if there is no telling."""

    def check(self) -> None:
        """Raise OSError if nothing can be stored."""


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

    def walk(self) -> Iterator[Kept]:
        for folder, folders, names in os.walk(self._root):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    yield self._kept(path)

    def discard(self, kept: Kept) -> None:
        path = self._root / kept.key
        with suppress(FileNotFoundError):
            if self._kept(path) == kept:
                path.unlink()

    def _kept(self, path: Path) -> Kept:
        stat = path.stat()
        # The later of the two: a file that is linked into the store keeps the time of its writing, but not that of its change.
        changed = max(stat.st_mtime, stat.st_ctime)
        return Kept(path.relative_to(self._root).as_posix(), stat.st_size, changed, whole=not path.name.startswith("."))

    def free_bytes(self) -> int | None:
        return shutil.disk_usage(self._root).free

    def check(self) -> None:
        if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._root))

    def _growing(self, key: str) -> Path:
        file = self._file(key)
        return file.with_name(f".{file.name}.growing")

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
