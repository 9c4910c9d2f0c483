"""Who may come in: keys, hosts, origins; and what a browser is told to keep to."""

import secrets
import time
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from api.services import ServicesDep
from records.errors import UnauthorizedError
from records.queries import keys

_bearer = HTTPBearer(auto_error=False, description="The key: in `api-key` of the data folder for a local server.")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_CLOSED = "default-src 'none'; frame-ancestors 'none'"
_MOST_JSON = 1 << 20


def require_key(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)], services: ServicesDep) -> None:
    """Let only those in who have a valid key."""
    if credentials is None:
        raise UnauthorizedError
    with services.database.read() as session:
        if keys.find(session, credentials.credentials) is None:
            raise UnauthorizedError("this key is not, or no longer, valid; send `Authorization: Bearer <key>` with one that is")


class Gate:
    """ASGI middleware in front of everything: request ids, allowed hosts and origins, bounded bodies, security headers.

    Args:
        app: what is behind it.
        hosts: names that requests may be addressed to; `*` for any. A page of another site can neither use a browser to talk to a
            server on this machine (its Origin gives it away) nor point its own name at it (the Host does).
    """

    def __init__(self, app: ASGIApp, hosts: list[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        request.state.request_id = request_id = f"req_{time.time_ns():x}{secrets.token_hex(4)}"

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Content-Security-Policy", _CLOSED)
            await send(message)

        refusal = self._refusal(request)
        await (refusal or self._app)(scope, receive, send_on)

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
        if not _streams(request) and int(headers.get("content-length") or 0) > _MOST_JSON:
            return problem(request, 413, "too_large", f"a JSON body may have up to {_MOST_JSON} bytes")
        if not _streams(request) and "chunked" in headers.get("transfer-encoding", ""):
            return problem(request, 411, "length_required", "send a Content-Length with a JSON body")
        return None

    def _allowed(self, netloc: str) -> bool:
        name = netloc.lower() if netloc.endswith("]") else netloc.rsplit(":", 1)[0].lower()
        return "*" in self._hosts or name in self._hosts


def _streams(request: Request) -> bool:
    """Whether a body goes to the disk as it comes, bounded by whoever takes it."""
    kind = request.headers.get("content-type", "")
    return kind.startswith("multipart/form-data") or (kind.startswith("text/csv") and request.url.path.endswith("/labels"))
