"""What can go wrong, as one tree under `PretextError`."""

# ruff: noqa: N818  as in most HTTP clients the names say what happened: `except NotFound`

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class PretextError(Exception):
    """Anything that this package raises on purpose. Its text is for people and says what to do."""


class ConnectionFailed(PretextError):
    """The server could not be reached, or stopped answering."""


class TransferFailed(PretextError):
    """A file could not be read, written or verified while it was sent or received."""


class JobFailed(PretextError):
    """A job that was waited for has ended without success."""


class WaitTimedOut(PretextError):
    """What was waited for has not ended in the time that was given. It goes on at the server."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with a request."""

    param: str
    """The field, with dots between its levels."""
    message: str
    """What is wrong with it."""


class ApiError(PretextError):
    """The server has refused a request.

    Attributes:
        status: HTTP status.
        code: what is wrong, for programs.
        detail: what is wrong, for people.
        param: the field that is wrong, with dots between its levels; None if it is not about one.
        request_id: what the server's log calls the request; None if the answer did not come from the server itself.
        mistakes: all that is wrong, where it is more than one thing.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        param: str | None = None,
        request_id: str | None = None,
        mistakes: Sequence[Mistake] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.param = param
        self.request_id = request_id
        self.mistakes = tuple(mistakes)


class Unauthorized(ApiError):
    """The key is missing or not valid (401), or may not do this (403)."""


class NotFound(ApiError):
    """There is no such thing (404), or no more (410)."""


class Conflict(ApiError):
    """It cannot be done in the state that things are in (409)."""


class InvalidRequest(ApiError):
    """The request asks for something impossible (400, 422); `param` names the field."""


class TooLarge(ApiError):
    """The upload is larger than the server takes (413), or its disk has no room (507)."""


class Unavailable(ApiError):
    """The server cannot answer just now (408, 423, 429, 502, 503, 504), and several tries have not changed that."""


_CLASSES: Mapping[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    410: NotFound,
    413: TooLarge,
    422: InvalidRequest,
    423: Unavailable,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    507: TooLarge,
}


def api_error(status: int, body: object, *, reason: str = "", request_id: str | None = None) -> ApiError:
    """Make the error of an answer.

    Args:
        status: HTTP status of the answer.
        body: its decoded JSON, or None if it has none; a proxy in between may answer with anything.
        reason: the status in words.
        request_id: from the answer's headers.
    """
    problem = body if isinstance(body, dict) else {}
    found = problem.get("errors")
    mistakes = [Mistake(str(one.get("param", "")), str(one.get("message", ""))) for one in found or () if isinstance(one, dict)]
    detail = problem.get("detail") or f"the server answered with status {status} {reason}".rstrip()
    param = problem.get("param")
    return _CLASSES.get(status, ApiError)(
        status,
        str(problem.get("code") or "unknown"),
        str(detail),
        param=str(param) if param else None,
        request_id=str(problem.get("request_id") or request_id or "") or None,
        mistakes=mistakes,
    )
