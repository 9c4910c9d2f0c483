"""The HTTP server of the API, and of what is served beside it."""

import gc
import logging
import socket
import sys
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from api.jobs.stream import Feeds

_IDLE_SECONDS = 30
"""Seconds that a connection is kept for the next request. Well beyond the five of httpx: where both sides give up at the same
moment, a request is sent into a connection that is just being closed."""
_STOP_SECONDS = 3
"""Seconds that requests have to come to their end when the server stops."""


class Server(uvicorn.Server):
    """Ends the streams of events when it is told to stop: whoever watches goes on with another process, and this one ends at once.

    Args:
        app: what is served.
        feeds: the streams of events; None if there are none.
        options: as of `uvicorn.Config`.
    """

    def __init__(self, app: ASGIApp, feeds: Feeds | None = None, **options: Any) -> None:
        own: dict[str, Any] = {
            "log_config": None,
            "server_header": False,
            "timeout_keep_alive": _IDLE_SECONDS,
            "timeout_graceful_shutdown": _STOP_SECONDS,
        }
        super().__init__(uvicorn.Config(app, **{**own, **options}))
        self._feeds = feeds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving. Whoever has not read what was sent by then is hung up on: the loop would wait for them for good."""
        if self._feeds is not None:
            self._feeds.close()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def serve(app: ASGIApp, host: str, port: int, feeds: Feeds | None = None, listener: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        app: what is served.
        host: address to listen on.
        port: port to listen on.
        feeds: the streams of events; None if there are none.
        listener: descriptor of a socket that listens already, for several processes that share it.
    """
    access_log = logging.getLogger("uvicorn.access").isEnabledFor(logging.DEBUG)
    server = Server(app, feeds, host=host, port=port, access_log=access_log)
    # What is there by now stays. The collector would go through all of it every hundred requests, and they would wait for that.
    gc.collect()
    gc.freeze()
    with suppress(KeyboardInterrupt):
        server.run(None if listener is None else [socket.socket(fileno=listener)])
    if not server.started:
        sys.exit(1)
