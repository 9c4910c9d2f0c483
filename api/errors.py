"""Errors as RFC 9457 problems. The only place that knows which status an error has."""

import logging
import math
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from api.etags import ChangedError, NotModifiedError, ThereError
from api.uploads import wire
from records import errors
from records.database import is_full
from ssl_core.spec import SpecError
from ssl_core.spec.tasks import field_of

logger = logging.getLogger(__name__)

STATUS: dict[type[Exception], int] = {
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    wire.HeaderError: 400,
    wire.VersionError: 412,
    wire.MediaTypeError: 415,
    wire.ChecksumError: 460,
    errors.InvalidError: 422,
    errors.GoneError: 410,
    errors.LockedError: 423,
    errors.BacklogError: 429,
    errors.IdempotencyError: 422,
    errors.TooLargeError: 413,
    errors.DiskFullError: 507,
    errors.UnavailableError: 503,
    errors.UnauthorizedError: 401,
    errors.ForbiddenError: 403,
    errors.QuotaError: 403,
    errors.RateError: 429,
    ChangedError: 412,
    ThereError: 412,
}

_UNION_MEMBER = re.compile(r"(literal|constrained-\w+|function-\w+)\b|(int|float|str)$")
"""How pydantic names the types of a union in the place of a mistake."""

_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 423: {"Retry-After": "1"}, 503: {"Retry-After": "2"}}


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    param: str = Field(description="The field, with dots between its levels.", examples=["task.crop_padding"])
    message: str = Field(description="What is wrong with it.", examples=["Input should be less than or equal to 32"])


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(default="about:blank", description="Always `about:blank`; programs look at `code`.")
    title: str = Field(description="The status in words.", examples=["Unprocessable Content"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What is wrong and what to do about it, for people.")
    code: str = Field(description="What is wrong, for programs.", examples=["invalid_request"])
    param: str | None = Field(default=None, description="The field that is wrong, if it is one.")
    request_id: str | None = Field(default=None, description="Id of the request, as in its `X-Request-Id` header.")
    errors: list[Mistake] | None = Field(default=None, description="All that is wrong, where it is more than one thing.")


def problem(
    request: Request, status: int, code: str, detail: str, *, param: str | None = None, mistakes: list[Mistake] | None = None
) -> JSONResponse:
    """An answer that tells an error."""
    body = Problem(
        title=phrase_of(status),
        status=status,
        detail=detail,
        code=code,
        param=param,
        request_id=getattr(request.state, "request_id", None),
        errors=mistakes,
    )
    content = body.model_dump(exclude_none=True)
    return JSONResponse(content, status, headers=_HEADERS.get(status), media_type="application/problem+json")


def phrase_of(status: int) -> str:
    """A status in words."""
    return "Checksum Mismatch" if status == 460 else HTTPStatus(status).phrase  # tus has it, HTTP has not


def _status(error: Exception) -> int:
    return next(STATUS[class_] for class_ in type(error).__mro__ if class_ in STATUS)


def _on_records_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.RecordsError)
    answer = problem(request, _status(error), error.code, error.detail, param=error.param)
    if isinstance(error, errors.RateError):
        request.state.rate_limited = True
        answer.headers.update({**error.headers, "Retry-After": str(math.ceil(error.retry_after))})
    return answer


def _on_not_modified(request: Request, error: Exception) -> Response:  # noqa: ARG001  there is nothing to tell
    assert isinstance(error, NotModifiedError)
    return Response(status_code=304, headers={"ETag": error.etag, "Cache-Control": "private, no-cache"})


def _on_spec_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SpecError)
    return problem(request, 422, "invalid_request", str(error), param=error.param)


def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    mistakes = _mistakes(error.errors())
    detail = "; ".join(f"{mistake.param}: {mistake.message}" if mistake.param else mistake.message for mistake in mistakes)
    return problem(request, 422, "invalid_request", detail, param=mistakes[0].param or None, mistakes=mistakes)


def _mistakes(found: Sequence[Any]) -> list[Mistake]:
    """One mistake a field, where pydantic has one for every type that the field could have had."""
    by_param: dict[str, list[Any]] = {}
    for mistake in found:
        by_param.setdefault(_param(mistake), []).append(mistake)
    return [Mistake(param=param, message=_of_union(mistakes)) for param, mistakes in by_param.items()]


def _of_union(mistakes: list[Any]) -> str:
    literals = [mistake for mistake in mistakes if mistake["type"] == "literal_error"]
    others = [mistake for mistake in mistakes if mistake["type"] != "literal_error"]
    if not others:
        return _message(literals[0])
    alternative = f", or {literals[0]['ctx']['expected']}" if literals else ""
    return _message(others[0]) + alternative


def _param(found: dict[str, Any]) -> str:
    if found["type"] == UNKNOWN_KIND:
        return "kind"
    parts = [part for part in found["loc"][1:] if not _UNION_MEMBER.match(str(part))]
    return field_of(parts[1:] if parts and parts[0] in JOB_KINDS else parts, found["type"])


def _message(found: dict[str, Any]) -> str:
    kind, message = found["type"], str(found["msg"])
    if kind == "extra_forbidden":
        return "there is no such field; /docs lists those that there are"
    if kind == "literal_error":
        return f"must be {found['ctx']['expected']}, not {found['input']!r:.80}"
    if kind == "union_tag_invalid":
        return f"must be one of {found['ctx']['expected_tags']}, not {found['ctx']['tag']!r:.80}"
    if kind == "union_tag_not_found":
        return "is required"
    if kind == "missing":
        return "is required"
    if kind == "json_invalid":
        return f"the body is not JSON: {found['ctx']['error']}"
    return message.removeprefix("Value error, ")


def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, UnicodeDecodeError):
        return problem(request, 422, "invalid_request", "the body is not JSON: it is not UTF-8")
    phrase = phrase_of(error.status_code)
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    detail = "there is nothing at this address; /docs lists what there is" if error.status_code == 404 else str(error.detail)
    answer = problem(request, error.status_code, code, detail)
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["Allow"] = _methods_of(request)
    return answer


def _methods_of(request: Request) -> str:
    """All methods that an address has; the framework names those of the first route that it finds there."""
    paths, path = request.app.openapi()["paths"], request.url.path
    known = [path] if path in paths else [template for template in paths if compile_path(template)[0].match(path)]
    return ", ".join(sorted({method.upper() for template in known for method in paths[template]}))


def _on_database(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, DataError):
        return problem(request, 422, "invalid_request", "a text in the request has characters that cannot be stored, such as NUL")
    if isinstance(error, DBAPIError) and is_full(error):
        logger.error("the disk of the database is full: %s", error.orig)
        return problem(request, 507, errors.DiskFullError.code, errors.DiskFullError().detail)
    logger.warning("the database does not answer: %s", error)
    return problem(request, 503, "unavailable", "the database does not answer at the moment; try again shortly")


def _on_disconnect(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001  it says nothing more
    logger.info("%s %s broke off before its end", request.method, request.url.path)
    return problem(request, 400, "broken_off", "the request ended too early; send it again")


def _on_defect(request: Request, error: Exception) -> JSONResponse:
    logger.error("a defect in the server", exc_info=error)
    return problem(request, 500, "internal_error", "the server has a defect; its log has more under this request_id")


JOB_KINDS = ("pretrain", "evaluate", "embed", "export")
"""The kinds of job that can be asked for. Each is a body of its own, and pydantic has it in the place of a mistake."""
UNKNOWN_KIND = "unknown_kind"


def install(app: FastAPI) -> None:
    """Have every error answered as a problem."""
    app.add_exception_handler(errors.RecordsError, _on_records_error)
    app.add_exception_handler(NotModifiedError, _on_not_modified)
    app.add_exception_handler(SpecError, _on_spec_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(PoolTimeoutError, _on_database)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_defect)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of an endpoint, for the OpenAPI page."""
    return {
        status: {"model": Problem, "description": phrase_of(status), "content": {"application/problem+json": {}}}
        for status in statuses
    }
