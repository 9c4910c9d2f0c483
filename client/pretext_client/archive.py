"""A folder as a tar archive that is made while it is sent: neither on disk nor in memory as a whole, and of a size known before."""

import os
import tarfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from pretext_client.errors import TransferFailed

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Member:
    """A file that goes into the archive."""

    path: Path
    name: str
    """Its name in the archive, with slashes."""
    size: int
    """Bytes."""
    modified: int = 0
    """When it was changed last, in nanoseconds. It does not go into the archive; it tells whether the file is still the same."""
    content: bytes | None = None
    """What is in it, of a member that is no file."""

    def header(self) -> bytes:
        """What stands before its bytes. Owners, times and modes are left out: they are nobody's business at the server."""
        info = tarfile.TarInfo(self.name)
        info.size = self.size
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")

    @property
    def space(self) -> int:
        """Bytes that it takes in the archive."""
        return len(self.header()) + -(-self.size // _BLOCK) * _BLOCK


def members(sources: Iterable[Path]) -> list[Member]:
    """The files that a folder's, or several files' and folders', archive will have, sorted by name.

    Hidden files and folders are passed over, and symbolic links are neither followed nor sent. One folder alone is the root of the
    names; of several sources each one's own name comes first.

    Raises:
        TransferFailed: a source is not there, two would have the same name, or there is nothing to send.
    """
    sources = list(sources)
    alone = len(sources) == 1
    found: dict[str, Member] = {}
    for source in sources:
        for member in _under(source, "" if alone else source.name):
            if member.name in found:
                raise TransferFailed(
                    f"{found[member.name].path} and {member.path} would both be called {member.name}; send them apart"
                )
            found[member.name] = member
    if not found:
        raise TransferFailed(
            f"there are no files in {', '.join(map(str, sources)) or 'nothing'} (hidden files and links are not sent)"
        )
    return sorted(found.values(), key=lambda member: member.name)


def _under(source: Path, name: str) -> Iterator[Member]:
    try:
        if not source.is_dir():
            found = source.stat()
            yield Member(source, name or source.name, found.st_size, found.st_mtime_ns)
            return
        for entry in os.scandir(source):
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            inner = f"{name}/{entry.name}" if name else entry.name
            if entry.is_dir():
                yield from _under(Path(entry.path), inner)
            elif entry.is_file():
                found = entry.stat()
                yield Member(Path(entry.path), inner, found.st_size, found.st_mtime_ns)
    except OSError as error:
        raise TransferFailed(f"cannot read {error.filename or source}: {error.strerror}") from error


def size(found: Iterable[Member]) -> int:
    """Bytes of the whole archive."""
    return sum(member.space for member in found) + len(_END)


def tar(found: Sequence[Member], start: int = 0, ends: Sequence[int] | None = None) -> Iterator[bytes]:
    """The archive, bit by bit.

    Args:
        found: its files.
        start: bytes at its beginning that are left out.
        ends: where each file's part of it ends, if that is known; else it is found out where there is a start.

    Raises:
        TransferFailed: a file is gone or has another size than before.
    """
    first = 0
    if start:
        ends = ends_of(found) if ends is None else ends
        first = bisect_right(ends, start)
        start -= ends[first - 1] if first else 0
    for number in range(first, len(found)):
        member = found[number]
        header = member.header()
        yield header[start:]
        start = max(0, start - len(header))
        if start < member.size or not member.size:
            yield from content(member.path, member.size, start) if member.content is None else [member.content[start:]]
        start = max(0, start - member.size)
        yield bytes(-member.size % _BLOCK)[start:]
        start = 0
    yield _END[start:]


def ends_of(found: Iterable[Member]) -> list[int]:
    """Where each file's part of the archive ends."""
    return list(accumulate(member.space for member in found))


def content(path: Path, expected: int, start: int = 0) -> Iterator[bytes]:
    """A file of `expected` bytes, bit by bit, from a place on.

    Raises:
        TransferFailed: it cannot be read, or has another size by now.
    """
    left = expected - start
    try:
        with path.open("rb") as file:
            file.seek(start)
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk
            longer = bool(file.read(1))
    except OSError as error:
        raise TransferFailed(f"cannot read {path}: {error.strerror}") from error
    if left or longer:
        raise TransferFailed(f"{path} has changed its size while it was sent; upload again when nothing writes to it any more")
