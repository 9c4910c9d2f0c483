"""Requests to the server by httpx: the key, repetitions, and errors.

`async_http.py` is the same for `await`. The two are all that is written twice; everything above them is made from its half for
threads by `client/make_async`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count, islice
from typing import Any, ParamSpec, TypeVar

import httpx

from pretext_client.places import Place
from pretext_client.retry import Retry
from pretext_client.wire import PAGE, Body, Call, Params, ValueT, Wire

__all__ = ["Body", "Call", "Http", "Params"]

P = ParamSpec("P")
T = TypeVar("T")


class Http(Wire):
    """Connections to one server.

    Args:
        place: the server and its key.
        timeout: seconds that the server may be silent.
        retry: how patient to be.
        sleep: waits for a number of seconds.
    """

    def __init__(self, place: Place, timeout: float, retry: Retry, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(place, timeout, retry)
        self.sleep = sleep
        self._client = httpx.Client(**self.settings())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that takes long without the network, such as reading a large file; an event loop goes on meanwhile."""
        return function(*args, **kwargs)

    def json(self, call: Call) -> Any:
        """Send a request, again where that helps, and return the answer's JSON; None if it has no content.

        Raises:
            ApiError: the server has refused it.
            ConnectionFailed: the server cannot be reached.
        """
        return self.content(self._send(call))

    def value(self, call: Call, value: type[ValueT]) -> ValueT:
        """Send a request as `json` does, and read the answer."""
        return self.owned(value.of(self.json(call)))

    def headers(self, call: Call) -> Mapping[str, str]:
        """Send a request, again where that helps, and return the answer's headers.

        Raises:
            ApiError: the server has refused it.
            ConnectionFailed: the server cannot be reached.
        """
        response = self._send(call)
        self.check(response)
        return response.headers

    def some(
        self, path: str, params: Params, value: type[ValueT], cursor: Callable[[ValueT], str | int], most: int | None
    ) -> Iterator[ValueT]:
        """At most so many records of a list, and no larger pages than are needed for them; None: every record."""
        if most is None:
            return self.pages(path, params, value, cursor)
        return islice(self.pages(path, {**params, "limit": min(PAGE, most)}, value, cursor), most)

    def pages(self, path: str, params: Params, value: type[ValueT], cursor: Callable[[ValueT], str | int]) -> Iterator[ValueT]:
        """Every record of a list, page after page. `cursor` says how a record is named in `after`."""
        after = params.get("after")
        while True:
            page = self.json(Call("GET", path, {"limit": PAGE, **params, "after": after}))
            found = [self.owned(value.of(one)) for one in page["data"]]
            yield from found
            if not page["has_more"] or not found:
                return
            after = cursor(found[-1])

    @contextmanager
    def stream(self, call: Call) -> Iterator[httpx.Response]:
        """Open an answer that is read bit by bit. What breaks while it is read raises ConnectionFailed; nothing is repeated.

        Raises:
            ApiError: the server has refused it.
            ConnectionFailed: the server cannot be reached, or the stream broke off.
        """
        try:
            response = self._client.send(self._request(call), stream=True)
            try:
                if response.is_error:
                    response.read()
                    raise self.refusal(response)
                yield response
            finally:
                response.close()
        except httpx.TransportError as error:
            raise self.failure(error) from error

    def _send(self, call: Call) -> httpx.Response:
        for repetition in count():
            happened: httpx.Response | httpx.TransportError
            try:
                happened = self._client.send(self._request(call))
            except httpx.TransportError as error:
                happened = error
            pause = self.after(call, repetition, happened)
            if not pause:
                assert isinstance(happened, httpx.Response)
                return happened
            self.sleep(pause)
        raise AssertionError  # `count` has no end

    def _request(self, call: Call) -> httpx.Request:
        return self._client.build_request(**self.arguments(call), content=None if call.body is None else call.body.chunks())
