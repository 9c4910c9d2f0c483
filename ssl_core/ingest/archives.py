"""What images and videos come in: zip, tar in any usual compression, a folder, or a single file. Told apart by content.

Nothing is ever unpacked to disk. A source is walked twice: once for names and sizes, once for the bytes.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ssl_core.errors import UserError
from ssl_core.images import ImageError, inspect
from ssl_core.ingest.entries import Entry
from ssl_core.ingest.limits import Limits
from ssl_core.ingest.names import decoded, parts_of
from ssl_core.ingest.refusal import Refusal
from ssl_core.ingest.tars import Tar, compression, is_tar
from ssl_core.ingest.zips import walk_zip
from ssl_core.videos import kind_of


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
        self.size = path.stat().st_size if path.is_file() else None
        """Bytes as it lies there; None for a folder."""


def open_source(path: Path, filename: str, limits: Limits) -> Source:
    """Find out what a file or folder is.

    Raises:
        UserError: it is not there, or nothing that images come in.
    """
    if path.is_dir():
        return Source(path, "folder", partial(_walk_folder, path))
    if not path.is_file():
        raise UserError("not_found", f"{path} is neither a file nor a folder")
    with path.open("rb") as file:
        head = file.read(512)
    if (compressed := compression(head)) is not None:
        kind, opener = compressed
        return Source(path, kind, Tar(path, opener, limits).walk)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Source(path, "zip", partial(walk_zip, path))
    if is_tar(path, head):
        return Source(path, "tar", Tar(path, None, limits).walk)
    return _single_file(path, filename, head, limits)


def _single_file(path: Path, filename: str, head: bytes, limits: Limits) -> Source:
    video = kind_of(head) not in {
        None,
        "gif",
        "webp",
    }  # these two are looked at as images; whoever checks them sees whether they move
    if not video:
        try:
            with path.open("rb") as file:  # a larger file than that ends too early, which is as good a reason as any
                inspect(file.read(limits.max_member_bytes), max_pixels=limits.max_pixels)
        except ImageError as error:
            raise UserError(
                "not_an_archive",
                f"{filename} is neither an archive nor an image nor a video ({error.reason}). "
                "Send a zip, tar, tar.gz or tar.zst of images or videos, or one of them.",
            ) from error
    size = path.stat().st_size
    # Whoever sends one file means it, hidden or not.
    name = (parts_of(filename) or ("",))[-1].lstrip(".") or ("video" if video else "image")
    return Source(path, "single video" if video else "single image", lambda: iter([Entry(name, size, size, None, path.read_bytes)]))


def _walk_folder(root: Path) -> Iterator[Entry]:
    for path in sorted(root.rglob("*")):
        name = decoded(path.relative_to(root).as_posix())
        if path.is_symlink():
            yield Entry(name, 0, 0, Refusal("link", "it is a link; links are not followed"), bytes)
        elif path.is_file():
            size = path.stat().st_size
            yield Entry(name, size, size, None, partial(_read_file, path))
        elif not path.is_dir():
            yield Entry(name, 0, 0, Refusal("not_a_file", "it is a device or pipe, not a file"), bytes)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError("unreadable", f"it cannot be read: {error.strerror}") from error
