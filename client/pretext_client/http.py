"""Requests to the server by httpx: the key, repetitions, and errors. The only file that an asynchronous client would replace."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import count, islice
from json import JSONDecodeError
from typing import Any, TypeVar

import httpx

from pretext_client.errors import ApiError, ConnectionFailed, PretextError, Unauthorized, api_error
from pretext_client.places import Place
from pretext_client.retry import PASSING, Retry, repeatable, retry_after
from pretext_client.types import Value

ValueT = TypeVar("ValueT", bound=Value)
Params = Mapping[str, str | int | tuple[str, ...] | None]
_PAGE = 100


@dataclass(frozen=True)
class Body:
    """A body that is sent as it is made, and can be made again if it has to be sent again."""

    content_type: str
    length: int
    """Bytes."""
    chunks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Call:
    """A request."""

    method: str
    path: str
    params: Params = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    body: Body | None = None


class Http:
    """Connections to one server.

    Args:
        place: the server and its key.
        timeout: seconds that the server may be silent.
        retry: how patient to be.
        sleep: waits for a number of seconds.
    """

    def __init__(self, place: Place, timeout: float, retry: Retry, sleep: Callable[[float], None] = time.sleep) -> None:
        headers = {"User-Agent": f"pretext-client/{version('pretext-client')}"}
        if place.key:
            headers["Authorization"] = f"Bearer {place.key}"
        self.place = place
        self.retry = retry
        self.sleep = sleep
        self._timeout = timeout
        # A proxy that the environment names is for the world outside, and could not reach this machine's own address.
        self._client = httpx.Client(
            base_url=place.url,
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10)),
            trust_env=not place.local,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def json(self, call: Call) -> Any:
        """Send a request, again where that helps, and return the answer's JSON; None if it has no content.

        Raises:
            ApiError: the server has refused it.
            ConnectionFailed: the server cannot be reached.
        """
        response = self._send(call)
        if response.is_error:
            raise self._refusal(response)
        if not response.content:
            return None
        try:
            return response.json()
        except (JSONDecodeError, UnicodeDecodeError) as error:
            raise PretextError(f"what answers at {self.place.url} is no Pretext Server: the answer is no JSON") from error

    def headers(self, call: Call) -> Mapping[str, str]:
        """Send a request, again where that helps, and return the answer's headers.

        Raises:
            ApiError: the server has refused it.
            ConnectionFailed: the server cannot be reached.
        """
        response = self._send(call)
        if response.is_error:
            raise self._refusal(response)
        return response.headers

    def some(
        self, path: str, params: Params, value: type[ValueT], cursor: Callable[[ValueT], str | int], most: int | None
    ) -> Iterator[ValueT]:
        """At most so many records of a list, and no larger pages than are needed for them; None: every record."""
        if most is None:
            return self.pages(path, params, value, cursor)
        return islice(self.pages(path, {**params, "limit": min(_PAGE, most)}, value, cursor), most)

    def pages(self, path: str, params: Params, value: type[ValueT], cursor: Callable[[ValueT], str | int]) -> Iterator[ValueT]:
        """Every record of a list, page after page. `cursor` says how a record is named in `after`."""
        after = params.get("after")
        while True:
            page = self.json(Call("GET", path, {"limit": _PAGE, **params, "after": after}))
            found = [value.of(one) for one in page["data"]]
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
                    raise self._refusal(response)
                yield response
            finally:
                response.close()
        except httpx.TransportError as error:
            raise self._failure(error) from error

    def _send(self, call: Call) -> httpx.Response:
        for repetition in count():
            asked: float | None = None
            try:
                response = self._client.send(self._request(call))
            except httpx.TransportError as error:
                never_arrived = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if not (never_arrived or repeatable(call.method, call.headers)):
                    raise self._failure(error) from error
                failure: Exception = error
            else:
                if response.status_code not in PASSING or not repeatable(call.method, call.headers):
                    return response
                failure, asked = self._refusal(response), retry_after(response.headers)
            pause = self.retry.pause(repetition, asked)
            if pause is None:
                raise failure if isinstance(failure, ApiError) else self._failure(failure) from failure
            self.sleep(pause)
        raise AssertionError  # `count` has no end

    def _request(self, call: Call) -> httpx.Request:
        headers = dict(call.headers)
        if call.body is not None:
            headers |= {"Content-Type": call.body.content_type, "Content-Length": str(call.body.length)}
        return self._client.build_request(
            call.method,
            call.path,
            params={name: value for name, value in call.params.items() if value is not None},
            headers=headers,
            json=call.json,
            content=None if call.body is None else call.body.chunks(),
        )

    def _refusal(self, response: httpx.Response) -> ApiError:
        try:
            body = response.json()
        except (JSONDecodeError, UnicodeDecodeError):
            body = None
        error = api_error(
            response.status_code, body, reason=response.reason_phrase, request_id=response.headers.get("x-request-id")
        )
        if isinstance(error, Unauthorized) and self.place.key is None:
            hint = "no key was found: give `api_key` (--api-key), or set PRETEXT_API_KEY"
            return Unauthorized(error.status, error.code, f"{error.detail}; {hint}", request_id=error.request_id)
        return error

    def _failure(self, error: Exception) -> ConnectionFailed:
        url = self.place.url
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            if self.place.local:
                return ConnectionFailed(f"no server answers at {url}. Is it running? `pretext-server up` starts one.")
            return ConnectionFailed(
                f"cannot reach {url} ({error}). Is the address right (--url, PRETEXT_URL), and the server running?"
            )
        if isinstance(error, httpx.TimeoutException):
            return ConnectionFailed(
                f"the server at {url} has been silent for {self._timeout:g} s. Is it overloaded? Try again later."
            )
        return ConnectionFailed(f"the connection to {url} broke off ({error or type(error).__name__}). Try again.")
