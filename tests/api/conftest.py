import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.server import Server
from api.services import Services
from records.queries import keys
from records.settings import Settings

KEY = "pretext_test-key"


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    app = create_app(settings)
    services: Services = app.state.services
    with services.database.whole.write() as session:
        keys.register(session, KEY, "test")
    return app


@pytest.fixture
def services(app: FastAPI) -> Services:
    """What the application works with, for all projects."""
    services: Services = app.state.services
    return replace(services, database=services.database.whole)


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """Address of the application behind a real server and a real socket."""
    server = Server(app, app.state.services.feeds, port=0, ws="none", timeout_graceful_shutdown=1)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def stranger(address: str) -> Iterator[httpx.Client]:
    """Somebody without a key."""
    with httpx.Client(base_url=address, timeout=20) as client:
        yield client


@pytest.fixture
def client(stranger: httpx.Client) -> httpx.Client:
    stranger.headers["Authorization"] = f"Bearer {KEY}"
    return stranger


@pytest.fixture
def stored(settings: Settings) -> Path:
    """The folder of the blobs."""
    return settings.data_dir / "blobs"
