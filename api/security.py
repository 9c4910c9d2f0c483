"""Who may come in, and what for: keys and their scopes, hosts, origins; and what a browser is told to keep to."""

import re
import secrets
import time
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

import anyio.to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.bodies import Patience
from api.errors import problem
from api.services import Services, ServicesDep
from api.uploads import wire
from records import audit, context
from records.errors import ForbiddenError, UnauthorizedError
from records.queries import keys
from records.queries.keys import SCOPES
from records.tenancy import Actor, act_from_now_on, acting_as

bearer = HTTPBearer(auto_error=False, description="The key: in `api-key` of the data folder for a local server.")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_CLOSED = "default-src 'none'; frame-ancestors 'none'"
_MOST_JSON = 1 << 20
_REQUEST_ID = re.compile(r"(?!pretext_)[A-Za-z0-9][A-Za-z0-9._:-]{7,63}")
"""No key is one: it would be logged."""


async def require_key(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)], services: ServicesDep
) -> Actor:
    """Let only those in who have a valid key for this: to read with for GET, HEAD and OPTIONS, to write with for all others.

    From here on, the request finds its project's records and nothing else. Async, so that what it sets lasts for the request.
    """
    if credentials is None:
        raise UnauthorizedError
    actor = await anyio.to_thread.run_sync(_counted, services, credentials.credentials, request)
    await _require(request, services, actor, "read" if request.method in {"GET", "HEAD", "OPTIONS"} else "write")
    act_from_now_on(actor)
    context.bind(project_id=actor.project_id)
    return actor


ActorDep = Annotated[Actor, Depends(require_key)]


async def require_admin(request: Request, actor: ActorDep, services: ServicesDep) -> Actor:
    """Let only those in whose key is for administration."""
    await _require(request, services, actor, "admin")
    return actor


AdminDep = Annotated[Actor, Depends(require_admin)]


async def require_operator(actor: AdminDep, services: ServicesDep) -> Actor:
    """Let only those in who administer the server."""
    if not actor.operator:
        await anyio.to_thread.run_sync(_deny, services, actor)
        raise ForbiddenError("only an administrator of the server may do that")
    return actor


OperatorDep = Annotated[Actor, Depends(require_operator)]


def _counted(services: Services, text: str, request: Request) -> Actor:
    """Who a key is of, with this request counted."""
    actor = _known(services, text, request)
    request.state.rate = services.limiter.take(actor.key_id)
    return actor


def _known(services: Services, text: str, request: Request) -> Actor:
    """Who a key is of."""
    with services.database.whole.read() as session:
        holder = keys.holder(session, text)
    if holder is None:
        raise UnauthorizedError("this key is not, or no longer, valid; send `Authorization: Bearer <key>` with one that is")
    if holder.due:
        _note_use(services, holder.key_id)
    return Actor(
        project_id=holder.project_id,
        key_id=holder.key_id,
        scope=holder.scope,
        operator=holder.operator,
        action=request.scope["route"].name,
        subjects=tuple(value for value in request.path_params.values() if isinstance(value, str)),
        request_id=request.state.request_id,
        address=request.client.host if request.client is not None else "",
    )


def _note_use(services: Services, key_id: str) -> None:
    """Best effort: a database that is locked right now must not turn away a request that only reads."""
    with suppress(DBAPIError), services.database.whole.write() as session:
        keys.used(session, key_id)


async def _require(request: Request, services: Services, actor: Actor, scope: str) -> None:
    if SCOPES.index(actor.scope) < SCOPES.index(scope):
        await anyio.to_thread.run_sync(_deny, services, actor)
        raise ForbiddenError(f"this key is for `{actor.scope}`, and {request.method} {request.url.path} needs one for `{scope}`")


def _deny(services: Services, actor: Actor) -> None:
    with acting_as(actor), services.database.whole.write() as session:
        audit.add(session, actor, "denied")


class Gate:
    """ASGI middleware in front of everything: request ids, allowed hosts and origins, bounded bodies, security headers.

    Args:
        app: what is behind it.
        hosts: names that requests may be addressed to; `*` for any. A page of another site can neither use a browser to talk to a
            server on this machine (its Origin gives it away) nor point its own name at it (the Host does).
        body_seconds: how slow a body may be; see `Patience`.
    """

    def __init__(self, app: ASGIApp, hosts: list[str], body_seconds: float) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        request.state.request_id = request_id = _request_id(request)
        context.bind(request_id=request_id)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.update(getattr(request.state, "rate", None) or {})
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Content-Security-Policy", _CLOSED)
            await send(message)

        refusal = self._refusal(request)
        await (refusal or self._app)(scope, Patience(receive, self._body_seconds), send_on)

    def _refusal(self, request: Request) -> ASGIApp | None:
        headers = request.headers
        if not self._allowed(headers.get("host", "")):
            return problem(
                request,
                421,
                "host_not_allowed",
                f"this server does not answer to the name {headers.get('host', '')!r}; add it to PRETEXT_ALLOWED_HOSTS",
            )
        origin = headers.get("origin")
        if origin is not None and not self._allowed(urlsplit(origin).netloc):
            return problem(request, 403, "origin_not_allowed", "pages of other sites may not use this server")
        streamed = _is_streamed(request)
        if not streamed and int(headers.get("content-length") or 0) > _MOST_JSON:
            return problem(request, 413, "too_large", f"a JSON body may have up to {_MOST_JSON} bytes")
        if not streamed and "chunked" in headers.get("transfer-encoding", ""):
            return problem(request, 411, "length_required", "send a Content-Length with a JSON body")
        return None

    def _allowed(self, netloc: str) -> bool:
        name = netloc.lower() if netloc.endswith("]") else netloc.rsplit(":", 1)[0].lower()
        return "*" in self._hosts or name in self._hosts


def _request_id(request: Request) -> str:
    """The caller's own if it is one that can be logged and stored, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else f"req_{time.time_ns():x}{secrets.token_hex(4)}"


def _is_streamed(request: Request) -> bool:
    """Whether a body is taken bit by bit, by somebody who counts."""
    kind, path = request.headers.get("content-type", ""), request.url.path
    if kind == wire.CONTENT_TYPE:
        return wire.is_ours(request.scope)
    of_labels = path.startswith("/v1/datasets/") and path.endswith("/labels")
    if kind.startswith("multipart/form-data"):
        return of_labels or path in {"/v1/datasets", "/v1/models"} or (path.startswith("/v1/models/") and path.endswith("/embed"))
    return of_labels and kind.startswith("text/csv")
