"""What can be wrong with a request. No HTTP here: `api/errors.py` maps each class to a status."""

from typing import ClassVar


class RecordsError(Exception):
    """Something is wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str | None = None, *, param: str | None = None) -> None:
        self.detail = detail or (self.__doc__ or "").strip().splitlines()[0]
        self.param = param
        super().__init__(self.detail)


class NotFoundError(RecordsError):
    """There is no such thing, or it is not yours."""

    code = "not_found"

    @classmethod
    def of(cls, what: str, id_: str, param: str | None = None) -> "NotFoundError":
        """Say what is missing."""
        return cls(f"there is no {what} {id_!r}", param=param)


class ConflictError(RecordsError):
    """The thing is in a state that does not allow this."""

    code = "conflict"


class IdempotencyError(ConflictError):
    """This Idempotency-Key was used before for a different request; use a new one."""

    code = "idempotency_key_reused"


class InvalidError(RecordsError):
    """The request cannot be carried out as it is."""

    code = "invalid_request"


class MemoryShortError(InvalidError):
    """No worker has the memory that this would take."""

    code = "insufficient_memory"


class TooLargeError(RecordsError):
    """The request is larger than this server takes."""

    code = "too_large"


class GoneError(RecordsError):
    """The thing was here, and is not any more."""

    code = "gone"


class LockedError(RecordsError):
    """Another request is at it; wait for its end, or try again in a moment."""

    code = "locked"


class BacklogError(RecordsError):
    """There are more unfinished uploads than the server allows."""

    code = "too_many_uploads"


class DiskFullError(RecordsError):
    """The server's disk has no room for this. Free some space there, or delete datasets and models, and try again."""

    code = "disk_full"


class UnavailableError(RecordsError):
    """The service cannot answer now. Try again in a moment."""

    code = "unavailable"


class UnauthorizedError(RecordsError):
    """A valid key is needed: send `Authorization: Bearer <key>`."""

    code = "unauthorized"


class ForbiddenError(RecordsError):
    """This key may not do that; use one of a wider scope."""

    code = "forbidden"


class QuotaError(RecordsError):
    """The project has used up what it may use."""

    code = "quota_exceeded"


class RateError(RecordsError):
    """There are too many requests with this key; wait as long as `Retry-After` says."""

    code = "rate_limited"

    def __init__(self, detail: str | None = None, *, retry_after: float, headers: dict[str, str]) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.headers = headers
