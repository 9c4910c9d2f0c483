"""Receiving a multipart upload straight into the blob store: nothing is held in memory and nothing is written twice."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import anyio
import anyio.to_thread
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.feeder import Feeder
from records.blobs import Blobs, BlobWriter
from records.errors import DiskFullError, InvalidError, TooLargeError
from ssl_core.ingest.names import printable

_LONGEST_FIELD = 64 << 10
_LONGEST_HEADERS = 8 << 10
_MOST_PARTS = 20
_LONGEST_FILENAME = 500


class Form:
    """A form in the receiving: small text fields, and one file that goes to a blob.

    Args:
        boundary: from the request's content type.
        open_blob: makes the blob for the file, once it begins.
        max_bytes: largest file.
    """

    def __init__(self, boundary: bytes, open_blob: Callable[[], BlobWriter], max_bytes: int) -> None:
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.blob: BlobWriter | None = None
        self.complete = False
        self._open_blob = open_blob
        self._max_bytes = max_bytes
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._text = b""
        self._in_file = False
        self._parts = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            InvalidError: they are no form.
            TooLargeError: the file is too large.
            DiskFullError: there is no room for it.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidError(f"the body is not a multipart form: {error}") from error

    def _on_part(self) -> None:
        self._headers, self._header, self._text, self._in_file = {}, (b"", b""), b"", False
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise InvalidError(f"the form has more than {_MOST_PARTS} parts; to send many images, send one archive")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])
        self._bound_headers()

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])
        self._bound_headers()

    def _bound_headers(self) -> None:
        if sum(map(len, self._header)) > _LONGEST_HEADERS:
            raise InvalidError("a part of the form has oversized headers")

    def _on_header_end(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = (b"", b"")

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name != "file":
            return
        if self.blob is not None:
            raise InvalidError("the form has more than one `file`; to send many images, send one archive", param="file")
        self._in_file = True
        self.filename = clean_filename(options.get(b"filename", b"").decode("utf-8", "replace"))
        self.blob = self._open_blob()

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if not self._in_file:
            self._text += data[start:end]
            if len(self._text) > _LONGEST_FIELD:
                raise InvalidError(f"the field is longer than {_LONGEST_FIELD} bytes", param=self._name)
            return
        assert self.blob is not None
        self.blob.write(data[start:end])
        if self.blob.size > self._max_bytes:
            raise too_large(self._max_bytes)

    def _on_part_end(self) -> None:
        if not self._in_file:
            self.fields[self._name] = self._text.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self.complete = True


def clean_filename(name: str) -> str:
    """A file's own name out of what a client calls it, without characters that could mislead whoever reads it."""
    return printable(re.split(r"[/\\]", name)[-1])[:_LONGEST_FILENAME] or "upload"


def too_large(most: int) -> TooLargeError:
    """The refusal of an upload that is too large."""
    return TooLargeError(f"this server takes uploads of up to {most:,} bytes (PRETEXT_MAX_UPLOAD_BYTES)", param="file")


def check_room(blobs: Blobs, announced: int, *, min_free: int) -> None:
    """Refuse bytes that would fill the disk, before they are sent.

    Raises:
        DiskFullError: they would.
    """
    free = blobs.free_bytes()
    if free is not None and announced + min_free > free:
        raise DiskFullError(
            f"the server's disk has no room for this upload: it has {announced:,} bytes, and {max(0, free - min_free):,} are free. "
            "Free some space there, or delete datasets and models, and try again."
        )


async def receive(
    request: Request, blobs: Blobs, key: str, *, max_bytes: int, min_free: int, example: str = "pictures.zip"
) -> Form:
    """Receive the form of a request; its file is in the blob `key` when this returns, and nowhere if it raises.

    `example` is a name of such a file, for messages.

    Raises:
        InvalidError: it is no form, has no file, or ended too early.
        TooLargeError: the file is too large.
        DiskFullError: there is no room for it.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidError(f"send the upload as multipart/form-data with a part `file`: curl -F file=@{example}", param="file")
    announced = int(request.headers.get("content-length") or 0)
    if announced > max_bytes + _LONGEST_FIELD * _MOST_PARTS:
        raise too_large(max_bytes)
    check_room(blobs, announced, min_free=min_free)
    with ExitStack() as stack:
        form = Form(boundary, lambda: stack.enter_context(blobs.writer(key)), max_bytes)
        feeder = Feeder(lambda chunks: form.feed(b"".join(chunks)))
        try:
            async for chunk in request.stream():
                await feeder.add(chunk)
            await feeder.finish()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await feeder.settle()
            raise
        if not form.complete:
            raise InvalidError("the upload ended before the end of the form; send it again")
        if form.blob is None:
            raise InvalidError(f"the form has no part `file`: curl -F file=@{example}", param="file")
        if form.blob.size == 0:
            raise InvalidError("the uploaded file is empty", param="file")
        await _in_thread(stack.close)
    return form


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> None:
    await anyio.to_thread.run_sync(function, *arguments)
