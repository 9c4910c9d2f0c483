"""What a request is and what an answer means, without sending anything: the same for threads and for `await`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from json import JSONDecodeError
from typing import Any, TypeVar

import httpx

from pretext_client.errors import ApiError, ConnectionFailed, PretextError, Unauthorized, api_error
from pretext_client.places import Place
from pretext_client.retry import PASSING, Retry, repeatable, retry_after
from pretext_client.types import Value
from pretext_client.types.base import Owned

Params = Mapping[str, str | int | tuple[str, ...] | None]
ValueT = TypeVar("ValueT", bound=Value)
PAGE = 100
"""Records of a page of a list."""


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


class Wire:
    """One server as requests see it.

    Args:
        place: the server and its key.
        timeout: seconds that the server may be silent.
        retry: how patient to be.
    """

    owner: object = None
    """The client that values which come here belong to."""

    def __init__(self, place: Place, timeout: float, retry: Retry) -> None:
        self.place = place
        self.retry = retry
        self._timeout = timeout
        self._met = place.announced or not place.local

    def settings(self) -> dict[str, Any]:
        """How httpx is to connect."""
        headers = {"User-Agent": f"pretext-client/{version('pretext-client')}"}
        if self.place.key:
            headers["Authorization"] = f"Bearer {self.place.key}"
        return {
            "base_url": self.place.url,
            "headers": headers,
            "timeout": httpx.Timeout(self._timeout, connect=min(self._timeout, 10)),
            # A proxy that the environment names is for the world outside, and could not reach this machine's own address.
            "trust_env": not self.place.local,
        }

    def arguments(self, call: Call) -> dict[str, Any]:
        """A request as httpx builds it, but for its body that is made while it is sent."""
        headers = dict(call.headers)
        if call.body is not None:
            headers |= {"Content-Type": call.body.content_type, "Content-Length": str(call.body.length)}
        params = {name: value for name, value in call.params.items() if value is not None}
        return {"method": call.method, "url": call.path, "params": params, "headers": headers, "json": call.json}

    def content(self, response: httpx.Response) -> Any:
        """An answer's JSON; None if it has no content.

        Raises:
            ApiError: it is a refusal.
            PretextError: it is no JSON.
        """
        self.check(response)
        if not response.content:
            return None
        try:
            return response.json()
        except (JSONDecodeError, UnicodeDecodeError) as error:
            raise PretextError(f"what answers at {self.place.url} is no Pretext Server: the answer is no JSON") from error

    def check(self, response: httpx.Response) -> None:
        """Raise what an answer refuses with."""
        if response.is_error:
            raise self.refusal(response)

    def owned(self, value: ValueT) -> ValueT:
        """A value that knows its client, if it is of a kind that does."""
        return value.owned(self.owner) if isinstance(value, Owned) else value

    def after(self, call: Call, repetition: int, happened: httpx.Response | httpx.TransportError) -> float:
        """Seconds to wait before a request is sent again; 0 or less if the answer stands.

        Raises:
            ApiError: the server refuses, for good or for longer than there is patience.
            ConnectionFailed: it cannot be reached.
        """
        asked: float | None = None
        self._met = self._met or isinstance(happened, httpx.Response)
        if isinstance(happened, httpx.TransportError):
            never_arrived = isinstance(happened, httpx.ConnectError | httpx.ConnectTimeout)
            if not (never_arrived or repeatable(call.method, call.headers)):
                raise self.failure(happened) from happened
            if never_arrived and not self._met and repetition >= self.retry.times_unmet:
                raise self.failure(happened) from happened
        elif happened.status_code not in PASSING or not repeatable(call.method, call.headers):
            return 0
        else:
            asked = retry_after(happened.headers)
        pause = self.retry.pause(repetition, asked)
        if pause is None:
            raise self.failure(happened) if isinstance(happened, httpx.TransportError) else self.refusal(happened)
        return max(pause, 1e-9)

    def refusal(self, response: httpx.Response) -> ApiError:
        """The error that an answer tells of."""
        try:
            body = response.json()
        except (JSONDecodeError, UnicodeDecodeError):
            body = None
        error = api_error(
            response.status_code, body, reason=response.reason_phrase, request_id=response.headers.get("x-request-id")
        )
        if isinstance(error, Unauthorized) and self.place.key is None:
            hint = "no key was found: `pretext login` stores one; or give `api_key` (--api-key), or set PRETEXT_API_KEY"
            return Unauthorized(error.status, error.code, f"{error.detail}; {hint}", request_id=error.request_id)
        return error

    def failure(self, error: Exception) -> ConnectionFailed:
        """What it means that there is no answer."""
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
