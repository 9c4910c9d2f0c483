"""The same as `uploads.py` for `await`. Made by client/make_async: change that file, and run it."""

import base64
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

from pretext_client.async_http import AsyncHttp
from pretext_client.http import Body, Call
from pretext_client.tus import CONTENT_TYPE, PATH, TUS
from pretext_client.types import Upload
from pretext_client.uploads import Arrived, _path


class AsyncUploads:
    """Uploads by the protocol tus 1.0."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def create(self, length: int, filename: str) -> Arrived:
        """Announce an upload of so many bytes.

        Raises:
            TooLarge: the server takes no such size.
        """
        name = base64.b64encode(filename.encode("utf-8", "replace")).decode()
        headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": f"filename {name}"}
        location = (await self._http.headers(Call("POST", PATH, headers=headers)))["location"]
        return Arrived(urlsplit(location).path.rpartition("/")[2], 0, length)

    def list(self) -> AsyncIterator[Upload]:
        """Those that no dataset was made of yet, the newest first; pages are fetched as needed."""
        return self._http.pages(PATH, {}, Upload, lambda one: one.id)

    async def get(self, upload_id: str) -> Arrived:
        """How much of it has arrived.

        Raises:
            NotFound: there is no such upload, or it has expired.
            Conflict: a dataset was made of it already.
        """
        answer = await self._http.headers(Call("HEAD", _path(upload_id), headers=TUS))
        return Arrived(upload_id, int(answer["upload-offset"]), int(answer["upload-length"]))

    async def append(self, upload_id: str, offset: int, part: bytes) -> Arrived:
        """Send the next part.

        Raises:
            Conflict: another part has to come next; `get` tells which.
        """

        def chunks() -> Iterator[bytes]:
            yield part

        headers = {**TUS, "Upload-Offset": str(offset)}
        call = Call("PATCH", _path(upload_id), headers=headers, body=Body(CONTENT_TYPE, len(part), chunks))
        return Arrived(upload_id, int((await self._http.headers(call))["upload-offset"]))

    async def delete(self, upload_id: str) -> None:
        """Throw away what has arrived."""
        await self._http.headers(Call("DELETE", _path(upload_id), headers=TUS))
