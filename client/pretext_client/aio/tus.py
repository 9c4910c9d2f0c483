"""The same as `tus.py` for `await`. Made by client/make_async: change that file, and run it."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from pretext_client.async_http import AsyncHttp
from pretext_client.errors import Conflict, ConnectionFailed, NotFound, Unavailable
from pretext_client.http import Body, Call
from pretext_client.resume import Memory, Unfinished
from pretext_client.tus import _PART_BYTES, _PATIENCE, CONTENT_TYPE, PATH, TUS, NotTakenError, _path
from pretext_client.upload import OnBytes, Payload


class AsyncTransfer:
    """A payload on its way to a server.

    Args:
        http: the server.
        payload: what is sent.
        on_progress: is told how much of it is at the server, or nearly.
        memory: what is remembered of it between two runs.
    """

    def __init__(self, http: AsyncHttp, payload: Payload, on_progress: OnBytes | None = None, memory: Memory | None = None) -> None:
        self._http = http
        self._payload = payload
        self._on_progress = on_progress
        self._memory = memory or Memory(http.place.url, payload.fingerprint)
        self._retry = replace(http.retry, times=http.retry.times * _PATIENCE)
        self._unfinished = self._memory.recall()

    async def run(self) -> Unfinished:
        """Bring all of it to the server.

        Raises:
            NotTakenError: the server takes no resumable uploads.
            ConnectionFailed, Unavailable: the server cannot be reached; or, once it has been, for longer than a restart takes.
            ApiError: the server refuses it.
            TransferFailed: it cannot be read, or has changed meanwhile.
        """
        unfinished, here = await self._begun()
        tries = 0
        while here < self._payload.size:
            try:
                here = await self._send_part(unfinished, here)
                tries = 0
            except (ConnectionFailed, Unavailable, Conflict, NotFound):
                pause = self._retry.pause(tries)
                if pause is None:
                    raise
                await self._http.sleep(pause)
                unfinished, there = await self._found_again(unfinished, here)
                tries = 0 if there > here else tries + 1
                here = there
        return unfinished

    async def _found_again(self, unfinished: Unfinished, here: int) -> tuple[Unfinished, int]:
        """Where the server is; as it was, if it is still away."""
        try:
            return await self._begun()
        except (ConnectionFailed, Unavailable):
            return unfinished, here

    def made(self) -> None:
        """What was to be made of the upload is made."""
        self._memory.forget()

    async def drop(self) -> None:
        """Nothing can be made of the upload: have the server throw it away."""
        if self._unfinished is not None:
            await self._http.json(Call("DELETE", _path(self._unfinished), headers=TUS))
        self._memory.forget()

    async def _begun(self) -> tuple[Unfinished, int]:
        """The upload and how much of it is at the server: the one that was begun before, else a new one."""
        if self._unfinished is not None:
            try:
                answer = await self._http.headers(Call("HEAD", _path(self._unfinished), headers=TUS))
                return self._unfinished, int(answer["upload-offset"])
            except NotFound:  # it has expired
                self._memory.forget()
            except Conflict:  # a dataset was made of it, and this side did not hear of that
                return self._unfinished, self._payload.size
        name = base64.b64encode(self._payload.name.encode("utf-8", "replace")).decode()
        headers = {**TUS, "Upload-Length": str(self._payload.size), "Upload-Metadata": f"filename {name}"}
        try:
            location = (await self._http.headers(Call("POST", PATH, headers=headers)))["location"]
        except NotFound as error:
            raise NotTakenError from error
        self._unfinished = Unfinished(urlsplit(location).path.rpartition("/")[2])
        self._memory.remember(self._unfinished)
        return self._unfinished, 0

    async def _send_part(self, unfinished: Unfinished, start: int) -> int:
        """Send the next part. Gives where the one after it begins."""
        length = min(_PART_BYTES, self._payload.size - start)
        body = Body(CONTENT_TYPE, length, lambda: self._part(start, length))
        headers = {**TUS, "Upload-Offset": str(start)}
        return int((await self._http.headers(Call("PATCH", _path(unfinished), headers=headers, body=body)))["upload-offset"])

    def _part(self, start: int, length: int) -> Iterator[bytes]:
        left = length
        for chunk in self._payload.chunks(start):
            piece = chunk[:left]
            yield piece
            left -= len(piece)
            if self._on_progress is not None:
                self._on_progress(start + length - left, self._payload.size)
            if not left:
                return
