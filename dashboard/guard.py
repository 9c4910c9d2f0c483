"""In front of everything that the page answers: hosts, origins, sessions, and what a browser is told to keep to."""

import re
import secrets
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.sessions import Sessions
from dashboard.threads import in_thread

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_CLOSED = "default-src 'none'; frame-ancestors 'none'"
_FORM = (
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_PAGE = (
    "default-src 'none'; script-src 'self' 'unsafe-eval' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)
"""NiceGUI evaluates what the server sends it, and sets styles; inline scripts and handlers run only with the answer's nonce."""
_OPEN = re.compile(
    r"/(sign-in(/once)?|static/.*|favicon\.ico|_nicegui/[^/]+/(static|components|libraries|esm|dynamic_resources|resources)/.*)$"
)
"""What needs no session: the way in, and files that are the same for everybody."""
_SCRIPT = re.compile(rb"<script(?=[\s>])")


class Guard:
    """ASGI middleware.

    Args:
        app: what is behind it.
        hosts: names that requests may be addressed to; `*` for any.
        sessions: who is signed in.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...], sessions: Sessions) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(HTTPConnection(scope))
        if scope["type"] == "websocket":
            if refusal is not None:
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, send)
            return
        answer = _Answer(send, scope["path"])
        await (refusal or self._app)(scope, receive, answer.send)

    async def _refusal(self, connection: HTTPConnection) -> ASGIApp | None:
        headers = connection.headers
        if not self._allowed(headers.get("host", "")):
            return PlainTextResponse("This server does not answer to that name; add it to PRETEXT_ALLOWED_HOSTS.", 421)
        if not _of_this_page(connection):
            return PlainTextResponse("Pages of other sites may not use this one.", 403)
        path = connection.scope["path"]
        if _OPEN.match(path):
            return None
        if await in_thread(self._sessions.of, connection) is not None:
            return None
        if connection.scope["type"] == "http" and connection.scope["method"] == "GET" and "." not in path and path[:2] != "/_":
            wanted = path + (f"?{connection.url.query}" if connection.url.query else "")
            return RedirectResponse("/sign-in" if wanted == "/" else f"/sign-in?to={quote(wanted, safe='')}", 303)
        return PlainTextResponse("Sign in first.", 401)

    def _allowed(self, netloc: str) -> bool:
        name = netloc.lower() if netloc.endswith("]") else netloc.rsplit(":", 1)[0].lower()
        return "*" in self._hosts or name in self._hosts


def _of_this_page(connection: HTTPConnection) -> bool:
    """Whether what changes something, or opens a websocket, comes from this very page: not from another site, host or port."""
    harmless = connection.scope["type"] == "http" and connection.scope["method"] in {"GET", "HEAD"}
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower()
    return harmless or site in {"same-origin", "none"}


class _Answer:
    """Puts security headers on an answer, and the nonce into its scripts if it is a page."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = path
        self._nonce = secrets.token_urlsafe(18)
        self._start: Message | None = None
        self._page = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            is_page = headers.get("content-type", "").startswith("text/html")
            headers["Content-Security-Policy"] = self._policy() if is_page else _CLOSED
            if is_page:
                self._start = message
                return
        elif self._start is not None:
            await self._collect(message)
            return
        await self._send(message)

    def _policy(self) -> str:
        return _FORM if self._path == "/sign-in" else _PAGE.format(nonce=self._nonce)

    async def _collect(self, message: Message) -> None:
        assert self._start is not None
        self._page += message.get("body", b"")
        if message.get("more_body"):
            return
        encoded = Headers(raw=self._start["headers"]).get("content-encoding")
        page = self._page if encoded else _SCRIPT.sub(f'<script nonce="{self._nonce}"'.encode(), self._page)
        MutableHeaders(scope=self._start)["Content-Length"] = str(len(page))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": page})
