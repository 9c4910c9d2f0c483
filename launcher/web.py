"""What one port answers: the API, and the page beside it. Neither knows of the other; only this file knows both."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from records.settings import Settings

if TYPE_CHECKING:
    from dashboard.config import Config


class Together:
    """ASGI application that gives the API what is the API's, and the page the rest.

    Args:
        api: knows its own routes.
        page: gets everything else.
    """

    def __init__(self, api: FastAPI, page: FastAPI) -> None:
        self._api, self._page = api, page

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            async with AsyncExitStack() as stack:
                for app in (api, page):
                    await stack.enter_async_context(app.router.lifespan_context(app))
                yield

        self._lifespan: ASGIApp = Starlette(lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http" and self._is_of_api(scope):
            await self._api(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    def _is_of_api(self, scope: Scope) -> bool:
        """All below `/v1` is the API's, also what does not exist there; and its few other addresses, such as `/docs`.

        The API's own `/` only leads to its documentation, for servers without a page.
        """
        path = scope["path"]
        if path == "/" or path.startswith("/v1/"):
            return bool(path != "/")
        return any(route.matches(scope)[0] is not Match.NONE for route in self._api.routes)


def config_of(settings: Settings, url: str, *, local: bool) -> "Config":
    """What the page has to be told.

    Args:
        settings: of the server.
        url: the API, as the page reaches it.
        local: whether this is the whole server on one machine, with a data folder for sessions and the one-time link.
    """
    from dashboard.config import Config, OneTimeLink

    return Config(
        url=url,
        hosts=tuple(settings.hosts),
        link=OneTimeLink.within(settings.data_dir) if local else None,
        sessions_file=settings.data_dir / "page-sessions.json" if local else None,
    )


def _keep_quiet_about_websockets() -> None:
    """Every page that is opened has one; who runs the server does not want three lines of each."""
    told = ("WebSocket", "connection open", "connection closed")
    logging.getLogger("uvicorn.error").addFilter(lambda record: not any(words in record.getMessage() for words in told))


def with_page(api: FastAPI, settings: Settings) -> Together:
    """API and page, as `pretext-server up` serves them in one process."""
    from dashboard.app import create

    _keep_quiet_about_websockets()
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104  compared, not bound
    return Together(api, create(config_of(settings, f"http://{host}:{settings.port}", local=True)))


def page_alone(settings: Settings, url: str) -> FastAPI:
    """The page as a process of its own, for an API elsewhere, at `url`."""
    from dashboard.app import create
    from records.log import set_up_logging

    set_up_logging(settings)
    _keep_quiet_about_websockets()
    return create(config_of(settings, url, local=False))
