"""The application: everything that the page answers, for whoever starts it."""

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, PlainTextResponse
from nicegui import ui
from pretext_client import PretextError
from starlette.middleware.gzip import GZipMiddleware

from dashboard import assets, files, shell, sign_in, uploads
from dashboard.calls import Trouble
from dashboard.config import Config
from dashboard.guard import Guard
from dashboard.sessions import Sessions

_RECONNECT_SECONDS = 30.0
"""How long the server keeps a page whose browser is away: a laptop that wakes up finds it as it was."""
_YEAR = "public, max-age=31536000, immutable"


def create(config: Config) -> FastAPI:
    """Make the application. There can be one in a process, for NiceGUI has one registry of pages."""
    sessions = Sessions(config.url, config.sessions_file)
    app = FastAPI(title="Pretext Server's page", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.sessions = sessions
    app.add_middleware(Guard, hosts=config.hosts, sessions=sessions)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_exception_handler(PretextError, _as_answer)
    app.include_router(sign_in.router(config, sessions))
    app.include_router(files.router(sessions))
    app.include_router(uploads.router(sessions))
    app.add_api_route("/static/{name}", _static, include_in_schema=False)
    app.add_api_route("/favicon.ico", lambda: _static("icon.svg"), include_in_schema=False)
    shell.install(sessions)
    ui.run_with(
        app,
        title="Pretext Server",
        favicon=assets.FOLDER / "icon.svg",
        dark=None,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=_RECONNECT_SECONDS,
        gzip_middleware_factory=None,
        show_welcome_message=False,
    )
    return app


def _static(name: str) -> Response:
    path = assets.FOLDER / Path(name).name
    if not path.is_file():
        return PlainTextResponse("There is no such file.", 404)
    return FileResponse(path, headers={"Cache-Control": _YEAR})


def _as_answer(_request: Request, error: Exception) -> Response:
    """What goes wrong with a file or an upload, for the script or the person that asked."""
    assert isinstance(error, PretextError)
    trouble = Trouble.of(error)
    status = getattr(error, "status", 503)
    return PlainTextResponse(f"{trouble.title}: {trouble.detail}", status)
