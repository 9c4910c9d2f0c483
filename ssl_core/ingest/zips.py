"""Members of a zip."""

import bz2
import copy
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Protocol

from ssl_core.errors import UserError
from ssl_core.images import ImageError
from ssl_core.ingest.entries import DamagedError, Entry
from ssl_core.ingest.refusal import Refusal

_LARGEST_TABLE = 512 << 20
"""Bytes of a table of contents: more than five million members of usual names need."""
_TABLE_ENTRY = b"PK\x01\x02"
_MOST_MEMBERS = 2_000_000
"""Each takes some 550 bytes of memory, and a tar's take none."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)
_LOCAL_HEADER = 30
"""Bytes of what stands before a member's name and content, at least."""
_DICTIONARY_BYTES = 256 << 20
"""Most memory that unpacking LZMA may take; its highest level takes 65 MB."""


class _Unpacker(Protocol):
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def walk_zip(path: Path) -> Iterator[Entry]:
    """The members of a zip, in the order of its table of contents.

    Raises:
        DamagedError: it has no readable table of contents.
        UserError: that table is larger than any real one, or two members share bytes, which only bombs do.
    """
    with _Bounded(FileIO(path)) as file:
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGE as error:
            what = str(error) or type(error).__name__
            raise DamagedError(
                f"the zip is cut off or damaged: its table of contents, at its end, cannot be read ({what})"
            ) from error
        file.opened = True
        with archive:
            members = archive.infolist()
            _check_overlap(members)
            for info in members:
                if not info.is_dir():
                    yield Entry(info.filename, info.file_size, info.compress_size, _refusal(info), _reader(archive, info))


def _check_overlap(members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse a zip whose members lie over each other: 42 kB of one can unpack to gigabytes (Fifield 2019)."""
    end, before = 0, ""
    for offset, info in sorted(((info.header_offset, info) for info in members), key=lambda pair: pair[0]):
        if offset < end:
            raise UserError(
                "archive_bomb",
                f"the members {before!r:.100} and {info.filename!r:.100} share bytes of the zip, which no program packs so; "
                "it is taken for a bomb",
            )
        end, before = offset + _LOCAL_HEADER + len(info.orig_filename) + info.compress_size, info.filename


class _Bounded(BufferedReader):
    """A file that is never read into memory in one piece that is too large: `zipfile` asks for the whole table of contents.

    It then makes an object of each line of that, so these are counted before.
    """

    opened = False
    """Whether the table of contents is read."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LARGEST_TABLE:
            raise UserError("archive_too_large", f"a part of the zip takes {size:,} bytes that are read at once; split the archive")
        content = super().read(size)
        if not self.opened and content.count(_TABLE_ENTRY) > _MOST_MEMBERS:
            raise UserError("archive_too_large", f"the zip has more than {_MOST_MEMBERS:,} members; split it, or send a tar")
        return content


def _reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return _read(archive, info)
        except _DAMAGE as error:
            raise ImageError("damaged_member", f"it cannot be unpacked: {str(error) or type(error).__name__:.200}") from error

    return read


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's content, never more of it than the table of contents says: `ZipFile.read` unpacks first and looks then."""
    if info.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        with archive.open(info) as file:
            content = file.read(info.file_size)
        whole = len(content) == info.file_size
    else:
        content = _unpacked(_packed(archive, info), info)
        whole = len(content) == info.file_size and zlib.crc32(content) == info.CRC
    if not whole:
        raise zipfile.BadZipFile("its content is not what the table of contents says")
    return content


def _packed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's bytes as they lie in the zip."""
    stored = copy.copy(info)
    stored.compress_type, stored.file_size = zipfile.ZIP_STORED, info.compress_size
    stored.CRC = None  # type: ignore[assignment]  # `zipfile` compares none then; it is that of the unpacked bytes
    with archive.open(stored) as file:
        return file.read(info.compress_size)


def _unpacked(packed: bytes, info: zipfile.ZipInfo) -> bytes:
    unpacker: _Unpacker
    if info.compress_type == zipfile.ZIP_BZIP2:
        unpacker = bz2.BZ2Decompressor()
    elif info.compress_type == zipfile.ZIP_LZMA:
        # A zip has the properties behind four bytes of its own, and no size; an .lzma file has them first, and the size then.
        properties, rest = packed[4:9], packed[9:]
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_DICTIONARY_BYTES)
        packed = properties + info.file_size.to_bytes(8, "little") + rest
    else:
        raise NotImplementedError("it is packed by a method that this server does not know; pack it by deflate, the usual one")
    pieces, size = [], 0
    while size < info.file_size and (piece := unpacker.decompress(packed, info.file_size - size)):
        pieces.append(piece)
        size += len(piece)
        packed = b""
    return b"".join(pieces)


def _refusal(info: zipfile.ZipInfo) -> Refusal | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return Refusal("link", "it is a link; links are not followed")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return Refusal("not_a_file", "it is a device or pipe, not a file")
    if info.flag_bits & 1:
        return Refusal("encrypted", "it is encrypted; send the archive without a password")
    return None
