"""The same as `http.py` for `await`, on asyncio or trio. Change both."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread
import httpx

from pretext_client.places import Place
from pretext_client.retry import Retry
from pretext_client.wire import PAGE, Call, Params, ValueT, Wire

P = ParamSpec("P")
T = TypeVar("T")


class AsyncHttp(Wire):
    """Connections to one server, for `await`. Arguments as of `Http`."""

    def __init__(self, place: Place, timeout: float, retry: Retry, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
        super().__init__(place, timeout, retry)
        self.sleep = sleep
        self._client = httpx.AsyncClient(**self.settings())

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that takes long without the network in a thread, so that the event loop goes on meanwhile."""
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs))

    async def json(self, call: Call) -> Any:
        """As of `Http.json`."""
        return self.content(await self._send(call))

    async def value(self, call: Call, value: type[ValueT]) -> ValueT:
        """As of `Http.value`."""
        return self.owned(value.of(await self.json(call)))

    async def headers(self, call: Call) -> Mapping[str, str]:
        """As of `Http.headers`."""
        response = await self._send(call)
        self.check(response)
        return response.headers

    async def some(
        self, path: str, params: Params, value: type[ValueT], cursor: Callable[[ValueT], str | int], most: int | None
    ) -> AsyncIterator[ValueT]:
        """As of `Http.some`."""
        left = most
        sized = params if most is None else {**params, "limit": min(PAGE, most)}
        async for one in self.pages(path, sized, value, cursor):
            yield one
            left = None if left is None else left - 1
            if left == 0:
                return

    async def pages(
        self, path: str, params: Params, value: type[ValueT], cursor: Callable[[ValueT], str | int]
    ) -> AsyncIterator[ValueT]:
        """As of `Http.pages`."""
        after = params.get("after")
        while True:
            page = await self.json(Call("GET", path, {"limit": PAGE, **params, "after": after}))
            found = [self.owned(value.of(one)) for one in page["data"]]
            for one in found:
                yield one
            if not page["has_more"] or not found:
                return
            after = cursor(found[-1])

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[httpx.Response]:
        """As of `Http.stream`."""
        try:
            response = await self._client.send(self._request(call), stream=True)
            try:
                if response.is_error:
                    await response.aread()
                    raise self.refusal(response)
                yield response
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise self.failure(error) from error

    async def _send(self, call: Call) -> httpx.Response:
        for repetition in count():
            happened: httpx.Response | httpx.TransportError
            try:
                happened = await self._client.send(self._request(call))
            except httpx.TransportError as error:
                happened = error
            pause = self.after(call, repetition, happened)
            if not pause:
                assert isinstance(happened, httpx.Response)
                return happened
            await self.sleep(pause)
        raise AssertionError  # `count` has no end

    def _request(self, call: Call) -> httpx.Request:
        content = None if call.body is None else _read_in_thread(call.body.chunks())
        return self._client.build_request(**self.arguments(call), content=content)


async def _read_in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces of files, each read in a thread."""
    while (chunk := await anyio.to_thread.run_sync(next, chunks, None)) is not None:
        yield chunk
