"""What the tus protocol (1.0.0, https://tus.io) has in its headers."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Protocol

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.datasets.upload import clean_filename
from records.errors import InvalidError, RecordsError

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,termination,expiration"
CONTENT_TYPE = "application/offset+octet-stream"
PATH = "/v1/uploads"
_LONGEST_METADATA = 4096
_OVERRIDES = frozenset({"PATCH", "DELETE", "HEAD"})


class VersionError(RecordsError):
    """Send `Tus-Resumable: 1.0.0`: this server speaks no other version of the protocol."""

    code = "version_not_supported"


class HeaderError(InvalidError):
    """A header of the request is missing or wrong."""

    code = "invalid_header"


class MediaTypeError(RecordsError):
    """The body of a PATCH has the Content-Type `application/offset+octet-stream`."""

    code = "unsupported_media_type"


class ChecksumError(RecordsError):
    """The bytes of this request are not those that Upload-Checksum tells of; none of them was kept. Send them again."""

    code = "checksum_mismatch"


class Digest(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    """CRC32 as tus sends it: four bytes, the highest first."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


ALGORITHMS: Mapping[str, Callable[[], Digest]] = {
    "sha256": hashlib.sha256,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32": _Crc32,
}


class Checksum:
    """What a request says that its bytes sum up to.

    Args:
        header: `Upload-Checksum`, an algorithm and the sum in base 64.

    Raises:
        HeaderError: it is none.
    """

    def __init__(self, header: str) -> None:
        name, _, value = header.strip().partition(" ")
        if name not in ALGORITHMS:
            raise HeaderError(f"Upload-Checksum has the algorithm {name!r:.40}; this server knows {', '.join(ALGORITHMS)}")
        self.digest = ALGORITHMS[name]()
        self._expected = _decoded(value.strip(), "Upload-Checksum")

    def check(self) -> None:
        """Compare it with the bytes that `digest` has seen.

        Raises:
            ChecksumError: it is another one.
        """
        if self.digest.digest() != self._expected:
            raise ChecksumError


async def need_version(request: Request) -> None:
    """Refuse a request that speaks another version of the protocol, or none. What is no part of the protocol comes as JSON."""
    if is_json(request):
        return
    if request.headers.get("tus-resumable") != VERSION:
        raise VersionError


def number(headers: Headers, name: str) -> int:
    """A header that is a whole number.

    Raises:
        HeaderError: it is missing, or none.
    """
    text = headers.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise HeaderError(f"{name} has to be a whole number, not {text!r:.40}" if text else f"{name} is missing")
    return int(text)


def is_json(request: Request) -> bool:
    """Whether a request is about an upload's record, and not about its bytes."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    return kind in {"application/json", "application/merge-patch+json"}


def pairs_in(metadata: str) -> dict[str, str]:
    """What is in `Upload-Metadata`, pairs of a key and a base 64 value between commas.

    Raises:
        HeaderError: it is not made that way, or too long.
    """
    if len(metadata) > _LONGEST_METADATA or not metadata.isascii():
        raise HeaderError(f"Upload-Metadata may have up to {_LONGEST_METADATA} characters of ASCII")
    found: dict[str, bytes] = {}
    for pair in filter(None, metadata.split(",")):
        key, _, value = pair.strip().partition(" ")
        if not key or key in found:
            raise HeaderError("Upload-Metadata has an empty key, or one twice; write it like: filename cGljdHVyZXMuemlw")
        found[key] = _decoded(value.strip(), "Upload-Metadata")
    return {key: value.decode("utf-8", "replace") for key, value in found.items()}


def filename_in(pairs: Mapping[str, str]) -> str:
    """The file's name among these pairs."""
    return clean_filename(pairs.get("filename", pairs.get("name", "")))


def _decoded(value: str, name: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise HeaderError(f"{name} has a value that is not base 64: {value!r:.80}") from error


def http_date(moment: datetime) -> str:
    """A point in time as headers have it."""
    return format_datetime(moment, usegmt=True)


class Wire:
    """ASGI middleware: what every request and answer of the protocol has.

    Args:
        app: what is behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not is_ours(scope):
            await self._app(scope, receive, send)
            return
        override = Headers(scope=scope).get("x-http-method-override", "").upper()
        if scope["method"] == "POST" and override in _OVERRIDES:
            scope = {**scope, "method": override}

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Tus-Resumable"] = VERSION
                if message["status"] == 412:
                    headers["Tus-Version"] = VERSION
            await send(message)

        await self._app(scope, receive, send_on)


def is_ours(scope: Scope) -> bool:
    """Whether a request is about uploads."""
    path: str = scope["path"]
    return path == PATH or path.startswith(f"{PATH}/")
