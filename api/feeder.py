"""Bytes of a request on their way to a thread that stores them, while the next ones arrive."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio.to_thread

_BUFFER = 2 << 20


class Feeder:
    """Hands chunks on in pieces of two mebibytes, one at a time and in order; at most one waits and one is collected.

    Args:
        take: stores chunks; is called in a thread.
    """

    def __init__(self, take: Callable[[Sequence[bytes]], None]) -> None:
        self._take = take
        self._chunks: list[bytes] = []
        self._size = 0
        self._under_way: asyncio.Task[None] | None = None
        self._failed = False

    async def add(self, chunk: bytes) -> None:
        """Take a chunk. Raises what storing earlier ones has raised."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size >= _BUFFER:
            await self._hand_on()

    async def finish(self) -> None:
        """Wait until all is stored. Raises what storing has raised."""
        await self._hand_on()
        await self._wait()

    async def settle(self) -> None:
        """After an error: let what is under way come to its end, so that the thread is through with everything."""
        with suppress(Exception):
            await self._wait()

    def rest(self) -> list[bytes]:
        """What was collected and not handed on; nothing if storing what came before it has failed."""
        return [] if self._failed else self._collected()

    def _collected(self) -> list[bytes]:
        chunks, self._chunks, self._size = self._chunks, [], 0
        return chunks

    async def _hand_on(self) -> None:
        await self._wait()
        self._under_way = asyncio.ensure_future(anyio.to_thread.run_sync(self._take, self._collected()))

    async def _wait(self) -> None:
        if self._under_way is None:
            return
        under_way, self._under_way = self._under_way, None
        try:
            await asyncio.shield(under_way)
        except asyncio.CancelledError:
            self._under_way = under_way  # this request is cancelled, and not the thread
            raise
        except Exception:
            self._failed = True
            raise
