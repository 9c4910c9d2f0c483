"""Receiving a part of an upload: flat memory, and what came stays when the connection breaks."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request

from api.services import Services
from api.uploads.service import Arrival
from api.uploads.wire import Checksum
from records.models import Upload

_BUFFER = 1 << 20
ResultT = TypeVar("ResultT")


async def receive(request: Request, services: Services, upload_id: str, offset: int) -> tuple[Upload, int]:
    """Take the body of a request into an upload.

    Returns:
        The upload, and how many of its bytes are here.

    Raises:
        RecordsError: as `Arrival` and its methods do.
        ClientDisconnect: the request has ended too early.
    """
    checksum = request.headers.get("upload-checksum")
    announced = request.headers.get("content-length")
    arrival = await _in_thread(
        partial(
            Arrival,
            services,
            upload_id,
            offset=offset,
            announced=None if announced is None else int(announced),
            checksum=None if checksum is None else Checksum(checksum),
        )
    )
    chunks: list[bytes] = []
    try:
        size = 0
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size >= _BUFFER:
                full, chunks, size = chunks, [], 0
                await _in_thread(arrival.take, full)
        last, chunks = chunks, []
        await _in_thread(arrival.take, last)
        return await _in_thread(arrival.finish), arrival.offset
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _in_thread(_keep, arrival, chunks)
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await _in_thread(arrival.close)


def _keep(arrival: Arrival, chunks: list[bytes]) -> None:
    try:
        arrival.take(chunks)
    finally:
        arrival.break_off()


async def _in_thread(function: Callable[..., ResultT], *arguments: Any) -> ResultT:
    return await anyio.to_thread.run_sync(function, *arguments)
