"""What images come in: zip, tar in any usual compression, a folder, or a single file. Told apart by content, not by name.

Nothing is ever unpacked to disk. A source is walked twice: once for names and sizes, once for the bytes.
"""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import zstandard

from ssl_core.errors import UserError
from ssl_core.images import ImageError, inspect
from ssl_core.ingest.limits import Limits
from ssl_core.ingest.refusal import Refusal

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, gzip.BadGzipFile, OSError)
_TAR_MAGIC = slice(257, 262)
_FORGET_EVERY = 1000


@dataclass(frozen=True)
class Entry:
    """A member of a source, folders left out."""

    name: str
    size: int
    """Bytes, unpacked."""
    packed: int
    """Bytes in the archive, as far as that is known of a single member; else as `size`."""
    refusal: Refusal | None
    """Why it is refused by its kind, if it is."""
    read: Callable[[], bytes]
    """Its content. Only to be called before the next entry is asked for."""


class DamagedError(Exception):
    """The archive cannot be read any further."""


class Source:
    """Something that images come in.

    Args:
        path: where it lies.
        kind: what it is, for people.
        walk: yields its entries; may raise `DamagedError` after some of them.
    """

    def __init__(self, path: Path, kind: str, walk: Callable[[], Iterator[Entry]]) -> None:
        self.path = path
        self.kind = kind
        self.entries = walk

    @property
    def size(self) -> int | None:
        """Bytes as it lies there; None for a folder."""
        return self.path.stat().st_size if self.path.is_file() else None


def open_source(path: Path, filename: str, limits: Limits) -> Source:
    """Find out what a file or folder is.

    Raises:
        UserError: it is nothing that images come in.
    """
    if path.is_dir():
        return Source(path, "folder", lambda: _walk_folder(path))
    with path.open("rb") as file:
        head = file.read(512)
    for magic, kind, opener in _COMPRESSIONS:
        if head.startswith(magic):
            return Source(path, kind, partial(_walk_tar, path, opener))
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Source(path, "zip", lambda: _walk_zip(path))
    if head[_TAR_MAGIC] == b"ustar" or _is_old_tar(path):
        return Source(path, "tar", lambda: _walk_tar(path, None))
    return _single_image(path, filename, limits)


def _single_image(path: Path, filename: str, limits: Limits) -> Source:
    try:
        with path.open("rb") as file:  # a larger file than that ends too early, which is as good a reason as any
            inspect(file.read(limits.max_member_bytes), max_pixels=limits.max_pixels)
    except ImageError as error:
        raise UserError(
            "not_an_archive",
            f"{filename} is neither an archive nor an image ({error.reason}). "
            "Send a zip, tar, tar.gz or tar.zst of images, or one image.",
        ) from error
    size = path.stat().st_size
    return Source(path, "single image", lambda: iter([Entry(filename, size, size, None, path.read_bytes)]))


def _walk_folder(root: Path) -> Iterator[Entry]:
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            yield Entry(name, 0, 0, Refusal("link", "it is a link; links are not followed"), bytes)
        elif path.is_file():
            size = path.stat().st_size
            yield Entry(name, size, size, None, path.read_bytes)


def _walk_zip(path: Path) -> Iterator[Entry]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DamagedError(f"the zip has no readable table of contents: {error}") from error
    with archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield Entry(info.filename, info.file_size, info.compress_size, _refuse_zip(info), _zip_reader(archive, info))


def _zip_reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return archive.read(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, *_DAMAGE) as error:
            raise ImageError("damaged_member", f"it cannot be unpacked: {str(error) or type(error).__name__:.200}") from error

    return read


def _refuse_zip(info: zipfile.ZipInfo) -> Refusal | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return Refusal("link", "it is a link; links are not followed")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return Refusal("not_a_file", "it is a device or pipe, not a file")
    if info.flag_bits & 1:
        return Refusal("encrypted", "it is encrypted; send the archive without a password")
    return None


def _open_zstd(file: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(file), 1 << 20)


def _open_gzip(file: BinaryIO) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=file)


def _open_bzip(file: BinaryIO) -> bz2.BZ2File:
    return bz2.BZ2File(file)


def _open_xz(file: BinaryIO) -> lzma.LZMAFile:
    return lzma.LZMAFile(file)


_Opener = Callable[[BinaryIO], io.BufferedIOBase]
_COMPRESSIONS: tuple[tuple[bytes, str, _Opener], ...] = (
    (b"\x1f\x8b", "tar.gz", _open_gzip),
    (b"\x28\xb5\x2f\xfd", "tar.zst", _open_zstd),
    (b"BZh", "tar.bz2", _open_bzip),
    (b"\xfd7zXZ\x00", "tar.xz", _open_xz),
)


@contextmanager
def _opened_tar(path: Path, opener: _Opener | None) -> Iterator[tarfile.TarFile]:
    with path.open("rb") as file:
        if opener is None:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                yield archive
        else:
            with opener(file) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
                yield archive


def _walk_tar(path: Path, opener: _Opener | None) -> Iterator[Entry]:
    seen = 0
    try:
        with _opened_tar(path, opener) as archive:
            for info in archive:
                seen += 1
                if seen % _FORGET_EVERY == 0:
                    archive.members = []  # type: ignore[attr-defined]  # it would keep a record of every member
                if not info.isdir():
                    yield Entry(info.name, info.size, info.size, _refuse_tar(info), _tar_reader(archive, info))
    except _DAMAGE as error:
        raise _damaged(error) from error


def _damaged(error: BaseException) -> DamagedError:
    return DamagedError(f"the archive is damaged or cut off: {str(error) or type(error).__name__:.200}")


def _tar_reader(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            file = archive.extractfile(info)
            assert file is not None
            content = file.read()
        except _DAMAGE as error:
            raise _damaged(error) from error
        if len(content) != info.size:
            raise _damaged(EOFError("it ends within a member"))
        return content

    return read


def _refuse_tar(info: tarfile.TarInfo) -> Refusal | None:
    if info.issym() or info.islnk():
        return Refusal("link", "it is a link; links are not followed")
    if not info.isreg():
        return Refusal("not_a_file", "it is a device or pipe, not a file")
    return None


def _is_old_tar(path: Path) -> bool:
    """Tars from before 1988 have no magic; their first header has a checksum."""
    try:
        with tarfile.open(path, mode="r:") as archive:
            return archive.next() is not None
    except tarfile.TarError:
        return False
