"""The outermost layer: counts and times every request, and makes it a span where there are traces."""

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics.figures import Figures
from records import tracing

_FILES = (b"multipart/form-data", b"application/offset+octet-stream", b"text/csv")
_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
_NOWHERE = "(none)"
"""The route of a request that no route is for: its address may be anything, and would be a label for each."""


class Observed:
    """ASGI middleware.

    Args:
        app: what is observed.
        figures: told of everything.
    """

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in _UNTRACED or not tracing.on():
            await _Request(scope, self._figures).run(self._app, receive, send)
        else:
            await self._traced(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name.startswith(b"trace")}
        about = {"http__request__method": scope["method"], "url__path": scope["path"]}
        with tracing.span(scope["method"], kind="server", headers=headers, **about) as span:
            request = _Request(scope, self._figures)
            try:
                await request.run(self._app, receive, send)
            finally:
                span.update_name(f"{scope['method']} {request.route}")
                span.set_attributes(
                    {
                        "http.route": request.route,
                        "http.response.status_code": request.status,
                        "pretext.request_id": scope.get("state", {}).get("request_id", ""),
                    }
                )


class _Request:
    """One request under observation."""

    def __init__(self, scope: Scope, figures: Figures) -> None:
        self._scope = scope
        self._figures = figures
        self._files = any(name == b"content-type" and value.startswith(_FILES) for name, value in scope["headers"])
        self._began = time.perf_counter()
        self._timed = False
        self.status = 500
        """What a request is answered with that ends in an exception."""

    @property
    def route(self) -> str:
        """The template of its address."""
        found: Any = self._scope.get("route")
        return _NOWHERE if found is None else str(found.path)

    async def run(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        """Have it answered."""

        async def received() -> Message:
            message = await receive()
            if self._files:
                self._figures.upload_bytes.inc(len(message.get("body", b"")))
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                if any(name.lower() == b"content-type" and b"event-stream" in value for name, value in message["headers"]):
                    self._time()
            await send(message)

        with self._figures.in_flight.track_inprogress():
            try:
                await app(self._scope, received, sent)
            finally:
                self._time()
                self._figures.ended(self._scope["method"], self.route, self.status)
                if self._scope.get("state", {}).get("rate_limited"):
                    self._figures.rate_limited.inc()

    def _time(self) -> None:
        if not self._timed:
            self._timed = True
            self._figures.began(self._scope["method"], self.route, time.perf_counter() - self._began)
