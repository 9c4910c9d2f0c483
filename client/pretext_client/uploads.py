"""Resumable uploads, part by part, for programs that get the bytes from somewhere else; `datasets.upload` sends files by itself."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from pretext_client.http import Body, Call, Http
from pretext_client.tus import CONTENT_TYPE, PATH, TUS
from pretext_client.types import Upload


@dataclass(frozen=True)
class Arrived:
    """How much of an upload is at the server."""

    id: str
    offset: int
    """Bytes that have arrived; the next part begins there."""
    length: int | None = None
    """Bytes in all."""


class Uploads:
    """Uploads by the protocol tus 1.0."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(self, length: int, filename: str) -> Arrived:
        """Announce an upload of so many bytes.

        Raises:
            TooLarge: the server takes no such size.
        """
        name = base64.b64encode(filename.encode("utf-8", "replace")).decode()
        headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": f"filename {name}"}
        location = self._http.headers(Call("POST", PATH, headers=headers))["location"]
        return Arrived(urlsplit(location).path.rpartition("/")[2], 0, length)

    def list(self) -> Iterator[Upload]:
        """Those that no dataset was made of yet, the newest first; pages are fetched as needed."""
        return self._http.pages(PATH, {}, Upload, lambda one: one.id)

    def get(self, upload_id: str) -> Arrived:
        """How much of it has arrived.

        Raises:
            NotFound: there is no such upload, or it has expired.
            Conflict: a dataset was made of it already.
        """
        answer = self._http.headers(Call("HEAD", _path(upload_id), headers=TUS))
        return Arrived(upload_id, int(answer["upload-offset"]), int(answer["upload-length"]))

    def append(self, upload_id: str, offset: int, part: bytes) -> Arrived:
        """Send the next part.

        Raises:
            Conflict: another part has to come next; `get` tells which.
        """

        def chunks() -> Iterator[bytes]:
            yield part

        headers = {**TUS, "Upload-Offset": str(offset)}
        call = Call("PATCH", _path(upload_id), headers=headers, body=Body(CONTENT_TYPE, len(part), chunks))
        return Arrived(upload_id, int(self._http.headers(call)["upload-offset"]))

    def delete(self, upload_id: str) -> None:
        """Throw away what has arrived."""
        self._http.headers(Call("DELETE", _path(upload_id), headers=TUS))


def _path(upload_id: str) -> str:
    return f"{PATH}/{quote(upload_id, safe='')}"
