"""Members of a tar in any usual compression.

Python's `tarfile` reads the headers once. What it found is kept in a list outside memory, so that the second walk only has to
read on to each member's place, which is several times faster for small images.
"""

import bz2
import gzip
import json
import lzma
import tarfile
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, Self, cast

import zstandard

from ssl_core.ingest.entries import DamagedError, Entry, check_total
from ssl_core.ingest.limits import Limits
from ssl_core.ingest.names import decoded
from ssl_core.ingest.refusal import Refusal

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, ValueError, RecursionError)
_NAME, _SIZE, _CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 156)
_TYPE, _MAGIC = slice(156, 157), slice(257, 262)
_PREFIX = 345
"""Places in a header; the last is the first byte of what comes before a long name."""
_LARGEST_HEADER = 1 << 20
"""Bytes of the long names and other extras of one member. `tarfile` reads them into memory whole."""
_EXTRA_HEADERS = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)
_IN_MEMORY = 16 << 20
"""Bytes of the list of members that are kept in memory; a longer one goes to a temporary file."""
_PIECE = 1 << 20
_XZ_BYTES = 256 << 20
"""Most memory that unpacking an .xz file may take; its highest level takes 65 MB."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


Opener = Callable[[BinaryIO], _Readable]


def _open_gzip(file: BinaryIO) -> _Readable:
    return gzip.GzipFile(fileobj=file)


def _open_zstd(file: BinaryIO) -> _Readable:
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    return cast("_Readable", decompressor.stream_reader(file, read_size=_PIECE, read_across_frames=True))


def _open_bzip(file: BinaryIO) -> _Readable:
    return bz2.BZ2File(file)


class _Xz:
    """An unpacked .xz file. `lzma.LZMAFile` would take as much memory as the file asks for, up to 4 GiB."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._unpacker = lzma.LZMADecompressor(memlimit=_XZ_BYTES)

    def read(self, size: int, /) -> bytes:
        while True:
            if self._unpacker.eof:  # another stream may follow
                rest = self._unpacker.unused_data.lstrip(b"\0") or self._file.read(_PIECE).lstrip(b"\0")
                if not rest:
                    return b""
                self._unpacker = lzma.LZMADecompressor(memlimit=_XZ_BYTES)
            elif self._unpacker.needs_input:
                rest = self._file.read(_PIECE)
                if not rest:
                    raise EOFError("it is cut off")
            else:
                rest = b""
            if data := self._unpacker.decompress(rest, size):
                return data


def _open_xz(file: BinaryIO) -> _Readable:
    return _Xz(file)


def compression(head: bytes) -> tuple[str, Opener] | None:
    """What kind of compressed tar a file may be, and how to open it; None for other files.

    Args:
        head: its first 512 bytes, or all if it is shorter.
    """
    magics = ((b"\x1f\x8b", "tar.gz", _open_gzip), (b"\x28\xb5\x2f\xfd", "tar.zst", _open_zstd), (b"BZh", "tar.bz2", _open_bzip))
    for magic, kind, opener in (*magics, (b"\xfd7zXZ\x00", "tar.xz", _open_xz)):
        if head.startswith(magic):
            return kind, opener
    # Programs that compress on many cores put a frame to skip first.
    return ("tar.zst", _open_zstd) if head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5 else None


def is_tar(path: Path, head: bytes) -> bool:
    """Whether a file is a tar that is not compressed, an empty one too.

    Args:
        path: where it lies.
        head: its first 512 bytes, or all if it is shorter.
    """
    if head[_MAGIC] == b"ustar" or (len(head) == tarfile.BLOCKSIZE and not any(head)):
        return True
    try:  # from before 1988: no magic, but the header has a checksum
        with tarfile.open(path, mode="r:") as archive:
            return archive.next() is not None
    except _DAMAGE:
        return False


class Tar:
    """The members of a tar, in its order, as often as they are asked for.

    Args:
        path: where it lies.
        opener: takes the compression away; None if there is none.
        limits: what it may hold.
    """

    def __init__(self, path: Path, opener: Opener | None, limits: Limits) -> None:
        self._path = path
        self._opener = opener
        self._limits = limits
        self._list: IO[str] | None = None
        self._damage: str | None = None

    def walk(self) -> Iterator[Entry]:
        """The members.

        Raises:
            DamagedError: it cannot be read further than the members given so far.
            UserError: it is a bomb.
        """
        if self._list is None:
            yield from self._first()
        else:
            yield from self._again(self._list)

    def _first(self) -> Iterator[Entry]:
        """Read the headers. The list is kept only once it is whole."""
        found = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8")  # noqa: SIM115  it outlives this walk
        try:
            for archive, info in self._headers():
                name, refusal = decoded(info.name), _refusal(info)
                found.write(json.dumps([name, info.offset_data, info.size, refusal]) + "\n")
                yield Entry(name, info.size, info.size, refusal, partial(_read_member, archive, info))
        except DamagedError as error:
            self._damage = str(error)
            self._keep(found)
            raise
        except BaseException:
            found.close()
            raise
        self._keep(found)

    def _keep(self, found: Any) -> None:
        if self._list is not None:
            found.close()
            return
        weakref.finalize(self, found.close)
        self._list = found

    def _headers(self) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        try:
            with ExitStack() as stack:
                file = stack.enter_context(self._path.open("rb"))
                stream = cast("IO[bytes]", self._stream(file))
                mode = cast("Any", "r:" if self._opener is None else "r|")
                archive = stack.enter_context(tarfile.open(fileobj=stream, mode=mode, tarinfo=_StrictInfo))
                while (info := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined]  # it would keep a record of every member
                    if not info.isdir():
                        yield archive, info
        except _DAMAGE as error:
            raise _damaged(error) from error

    def _stream(self, file: BinaryIO) -> _Readable:
        return file if self._opener is None else _Metered(self._opener(file), self._path.stat().st_size, self._limits)

    def _again(self, known: IO[str]) -> Iterator[Entry]:
        known.seek(0)
        with self._path.open("rb") as file:
            places = _Places(self._stream(file))
            for line in known:
                name, start, size, refusal = json.loads(line)
                yield Entry(name, size, size, refusal and Refusal(*refusal), partial(places.read, start, size))
        if self._damage is not None:
            raise DamagedError(self._damage)


class _StrictInfo(tarfile.TarInfo):
    """A header that ends the archive with an error where `tarfile` would just take it for the end.

    Plain headers of files are read here, in half the time, without the fields that nobody asks for.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        plain = len(buf) == tarfile.BLOCKSIZE and buf[_TYPE] == tarfile.REGTYPE and buf[_MAGIC] == b"ustar" and not buf[_PREFIX]
        if not plain:
            return super().frombuf(buf, encoding, errors)
        try:
            size, checksum = int(buf[_SIZE].rstrip(b" \0"), 8), int(buf[_CHECKSUM].rstrip(b" \0"), 8)
        except ValueError:
            return super().frombuf(buf, encoding, errors)
        if size < 0 or sum(buf) - sum(buf[_CHECKSUM]) + 8 * ord(" ") != checksum:
            return super().frombuf(buf, encoding, errors)
        info = cls(buf[_NAME].partition(b"\0")[0].decode(encoding, errors))
        info.size, info.chksum = size, checksum
        return info

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EmptyHeaderError as error:  # type: ignore[attr-defined]
            raise _damaged(error, "it has no end mark") from error
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise _damaged(error) from error

    def _proc_member(self, tarfile_: tarfile.TarFile) -> Self:
        if self.type in _EXTRA_HEADERS and self.size > _LARGEST_HEADER:
            raise _damaged(ValueError(f"a header of {self.size:,} bytes"))
        return cast("Self", super()._proc_member(tarfile_))  # type: ignore[misc]


class _Metered:
    """A decompressed stream that ends in an error once it gives more than any archive of images would."""

    def __init__(self, stream: _Readable, packed: int, limits: Limits) -> None:
        self._stream = stream
        self._packed = packed
        self._limits = limits
        self._given = 0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._given += len(data)
        check_total(self._given, self._packed, self._limits)
        return data


class _Places:
    """Reads on from place to place of a stream."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self._at = 0

    def read(self, start: int, size: int) -> bytes:
        try:
            while self._at < start:
                self._at += len(self._piece(min(_PIECE, start - self._at)))
            pieces = []
            while size > 0:
                pieces.append(self._piece(size))
                self._at += len(pieces[-1])
                size -= len(pieces[-1])
        except _DAMAGE as error:
            raise _damaged(error) from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        piece = self._stream.read(size)
        if not piece:
            raise EOFError("it ends within a member")
        return piece


def _read_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    try:
        file = archive.extractfile(info)
        assert file is not None
        content = file.read()
    except _DAMAGE as error:
        raise _damaged(error) from error
    if len(content) != info.size:
        raise _damaged(EOFError("it ends within a member"))
    return content


def _damaged(error: BaseException, what: str | None = None) -> DamagedError:
    return DamagedError(f"the archive is damaged or cut off: {what or str(error) or type(error).__name__:.200}")


def _refusal(info: tarfile.TarInfo) -> Refusal | None:
    if info.issym() or info.islnk():
        return Refusal("link", "it is a link; links are not followed")
    if info.issparse():
        return Refusal("sparse_file", "it is stored with its holes left out; make the archive without --sparse")
    if not info.isreg():
        return Refusal("not_a_file", "it is a device or pipe, not a file")
    return None
