"""A resumable upload by the protocol tus 1.0: sent in parts, and on from where the server is when anything breaks."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote, urlsplit

from pretext_client.errors import Conflict, ConnectionFailed, NotFound, Unavailable
from pretext_client.http import Body, Call, Http
from pretext_client.resume import Memory, Unfinished
from pretext_client.upload import OnBytes, Payload

RESUMABLE_BYTES = 8 << 20
"""What is larger is sent so that it can be resumed; what is smaller is sent again as quickly."""
PATH = "/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
CONTENT_TYPE = "application/offset+octet-stream"
_PART_BYTES = 64 << 20
"""Bytes of a request: few enough for what stands between here and the server, and many enough to cost nothing."""
_PATIENCE = 4
"""How many times more patient than with other requests: a server that is restarted is away for some seconds, or a minute."""


class NotTakenError(Exception):
    """The server knows no resumable uploads."""


class Transfer:
    """A payload on its way to a server.

    Args:
        http: the server.
        payload: what is sent.
        on_progress: is told how much of it is at the server, or nearly.
        memory: what is remembered of it between two runs.
    """

    def __init__(self, http: Http, payload: Payload, on_progress: OnBytes | None = None, memory: Memory | None = None) -> None:
        self._http = http
        self._payload = payload
        self._on_progress = on_progress
        self._memory = memory or Memory(http.place.url, payload.fingerprint)
        self._retry = replace(http.retry, times=http.retry.times * _PATIENCE)
        self._unfinished = self._memory.recall()

    def run(self) -> Unfinished:
        """Bring all of it to the server.

        Raises:
            NotTakenError: the server takes no resumable uploads.
            ConnectionFailed, Unavailable: the server cannot be reached; or, once it has been, for longer than a restart takes.
            ApiError: the server refuses it.
            TransferFailed: it cannot be read, or has changed meanwhile.
        """
        unfinished, here = self._begun()
        tries = 0
        while here < self._payload.size:
            try:
                here = self._send_part(unfinished, here)
                tries = 0
            except (ConnectionFailed, Unavailable, Conflict, NotFound):
                pause = self._retry.pause(tries)
                if pause is None:
                    raise
                self._http.sleep(pause)
                unfinished, there = self._found_again(unfinished, here)
                tries = 0 if there > here else tries + 1
                here = there
        return unfinished

    def _found_again(self, unfinished: Unfinished, here: int) -> tuple[Unfinished, int]:
        """Where the server is; as it was, if it is still away."""
        try:
            return self._begun()
        except (ConnectionFailed, Unavailable):
            return unfinished, here

    def made(self) -> None:
        """What was to be made of the upload is made."""
        self._memory.forget()

    def drop(self) -> None:
        """Nothing can be made of the upload: have the server throw it away."""
        if self._unfinished is not None:
            self._http.json(Call("DELETE", _path(self._unfinished), headers=TUS))
        self._memory.forget()

    def _begun(self) -> tuple[Unfinished, int]:
        """The upload and how much of it is at the server: the one that was begun before, else a new one."""
        if self._unfinished is not None:
            try:
                answer = self._http.headers(Call("HEAD", _path(self._unfinished), headers=TUS))
                return self._unfinished, int(answer["upload-offset"])
            except NotFound:  # it has expired
                self._memory.forget()
            except Conflict:  # a dataset was made of it, and this side did not hear of that
                return self._unfinished, self._payload.size
        name = base64.b64encode(self._payload.name.encode("utf-8", "replace")).decode()
        headers = {**TUS, "Upload-Length": str(self._payload.size), "Upload-Metadata": f"filename {name}"}
        try:
            location = self._http.headers(Call("POST", PATH, headers=headers))["location"]
        except NotFound as error:
            raise NotTakenError from error
        self._unfinished = Unfinished(urlsplit(location).path.rpartition("/")[2])
        self._memory.remember(self._unfinished)
        return self._unfinished, 0

    def _send_part(self, unfinished: Unfinished, start: int) -> int:
        """Send the next part. Gives where the one after it begins."""
        length = min(_PART_BYTES, self._payload.size - start)
        body = Body(CONTENT_TYPE, length, lambda: self._part(start, length))
        headers = {**TUS, "Upload-Offset": str(start)}
        return int(self._http.headers(Call("PATCH", _path(unfinished), headers=headers, body=body))["upload-offset"])

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


def _path(unfinished: Unfinished) -> str:
    return f"{PATH}/{quote(unfinished.upload_id, safe='')}"
