"""Members of a zip."""

import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader, FileIO
from lzma import LZMAError
from pathlib import Path

from ssl_core.errors import UserError
from ssl_core.images import ImageError
from ssl_core.ingest.entries import DamagedError, Entry
from ssl_core.ingest.refusal import Refusal

_LARGEST_TABLE = 512 << 20
"""Bytes of a table of contents: more than five million members of usual names need."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


def walk_zip(path: Path) -> Iterator[Entry]:
    """The members of a zip, in the order of its table of contents.

    Raises:
        DamagedError: it has no readable table of contents.
        UserError: that table is larger than any real one.
    """
    with _Bounded(FileIO(path)) as file:
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGE as error:
            what = str(error) or type(error).__name__
            raise DamagedError(
                f"the zip is cut off or damaged: its table of contents, at its end, cannot be read ({what})"
            ) from error
        with archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield Entry(info.filename, info.file_size, info.compress_size, _refusal(info), _reader(archive, info))


class _Bounded(BufferedReader):
    """A file that is never read into memory in one piece that is too large: `zipfile` asks for the whole table of contents."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LARGEST_TABLE:
            raise UserError("archive_too_large", f"a part of the zip takes {size:,} bytes that are read at once; split the archive")
        return super().read(size)


def _reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return archive.read(info)
        except _DAMAGE as error:
            raise ImageError("damaged_member", f"it cannot be unpacked: {str(error) or type(error).__name__:.200}") from error

    return read


def _refusal(info: zipfile.ZipInfo) -> Refusal | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return Refusal("link", "it is a link; links are not followed")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return Refusal("not_a_file", "it is a device or pipe, not a file")
    if info.flag_bits & 1:
        return Refusal("encrypted", "it is encrypted; send the archive without a password")
    return None
