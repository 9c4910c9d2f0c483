"""An upload: a file, a folder or several of both, as a multipart form that is made while it is sent."""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pretext_client import archive
from pretext_client.errors import TransferFailed
from pretext_client.http import Body

Source = str | os.PathLike[str]
OnBytes = Callable[[int, int], None]
"""Is told how many bytes have gone over, of how many."""


@dataclass(frozen=True)
class Payload:
    """What is uploaded: a file, or an archive that is made while it is sent."""

    name: str
    size: int
    """Bytes."""
    chunks: Callable[[int], Iterator[bytes]]
    """Its content from a place on, the same bytes each time."""
    fingerprint: str
    """Tells it from everything else, and from itself when a file has changed."""
    title: str | None = None
    """What people call it, if that is not the name."""
    members: Sequence[archive.Member] = ()
    """The files, if it is an archive that is made while it is sent."""


def form(source: Source | Iterable[Source] | Payload, fields: Mapping[str, str], on_progress: OnBytes | None = None) -> Body:
    """The form that uploads something. Its length is exact; the small fields stand before the file.

    Args:
        source: an archive or image, sent as it is; a folder, or several files and folders, sent as a tar.
        fields: small text fields.
        on_progress: is told how much of the file was sent; starts anew if the form has to be sent again.

    Raises:
        TransferFailed: there is nothing that could be sent.
    """
    sent = source if isinstance(source, Payload) else payload(source)
    filename, size, chunks = sent.name, sent.size, sent.chunks
    boundary = f"pretext{secrets.token_hex(16)}"
    head = b"".join(_part(boundary, f'name="{name}"') + value.encode() + b"\r\n" for name, value in fields.items())
    head += _part(boundary, f'name="file"; filename="{_quoted(filename)}"', "Content-Type: application/octet-stream\r\n")
    tail = f"\r\n--{boundary}--\r\n".encode()

    def whole() -> Iterator[bytes]:
        yield head
        sent = 0
        for chunk in chunks(0):
            yield chunk
            sent += len(chunk)
            if on_progress is not None:
                on_progress(sent, size)
        yield tail

    return Body(f"multipart/form-data; boundary={boundary}", len(head) + size + len(tail), whole)


def payload(source: Source | Iterable[Source]) -> Payload:
    """What an upload of something sends.

    Raises:
        TransferFailed: there is nothing that could be sent.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if not path.is_dir():
            size = _size(path)
            file = archive.Member(path, path.name, size, path.stat().st_mtime_ns)
            return Payload(path.name, size, lambda start: archive.content(path, size, start), _fingerprint([file]))
        paths, name = [path], path.resolve().name or "images"
    else:
        paths, name = [Path(one) for one in source], "images"
    found = archive.members(paths)
    return packed(found, name)


def packed(found: Sequence[archive.Member], title: str) -> Payload:
    """What an upload of these files sends."""
    ends = archive.ends_of(found)
    size, fingerprint = archive.size(found), _fingerprint(found)
    return Payload(f"{title}.tar", size, lambda start: archive.tar(found, start, ends), fingerprint, title, found)


def _fingerprint(found: Iterable[archive.Member]) -> str:
    digest = sha256()
    for member in found:
        told = f"{member.path.resolve()}\0{member.name}\0{member.size}\0{member.modified}\n"
        digest.update(told.encode("utf-8", "surrogateescape") + (member.content or b""))
    return digest.hexdigest()


def _size(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise TransferFailed(f"cannot read {path}: {error.strerror}") from error
    if not path.is_file():
        raise TransferFailed(f"{path} is neither a file nor a folder; give an archive, an image or a folder of images")
    if size == 0:
        raise TransferFailed(f"{path} is empty")
    return size


def _part(boundary: str, disposition: str, more: str = "") -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n".encode("utf-8", "surrogateescape")


def _quoted(filename: str) -> str:
    """A file name in a form's header, quoted as browsers do it."""
    return filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
