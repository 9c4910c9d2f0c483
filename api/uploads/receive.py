"""Receiving a part of an upload: flat memory, and what came stays when the connection breaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from api.feeder import Feeder
from api.services import Services
from api.uploads.service import Arrival
from api.uploads.wire import Checksum
from records.models import Upload

_SILENCE_SECONDS = 2.0
"""After so long without a byte, a request lets the upload go if another one wants it."""
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
    feeder = Feeder(arrival.take)
    try:
        async for chunk in _chunks(request, arrival):
            await feeder.add(chunk)
        await feeder.finish()
        return await _in_thread(arrival.finish), arrival.offset
    except BaseException:
        with anyio.CancelScope(shield=True):
            await feeder.settle()
            await _in_thread(_keep, arrival, feeder.rest())
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await _in_thread(arrival.close)


async def _chunks(request: Request, arrival: Arrival) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                message = await request.receive()
        except TimeoutError:
            await _in_thread(arrival.yield_if_wanted)
            continue
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def _keep(arrival: Arrival, chunks: list[bytes]) -> None:
    """Store what had arrived when the request broke off."""
    try:
        arrival.take(chunks)
    finally:
        arrival.break_off()


async def _in_thread(function: Callable[..., ResultT], *arguments: Any) -> ResultT:
    return await anyio.to_thread.run_sync(function, *arguments)
