from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services
from records.queries import keys
from records.settings import Settings

KEY = "pretext_test-key"


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    app = create_app(settings)
    services: Services = app.state.services
    with services.database.write() as session:
        keys.register(session, KEY, "test")
    yield app
    services.database.engine.dispose()


@pytest.fixture
def services(app: FastAPI) -> Services:
    return app.state.services


@pytest.fixture
def stranger(app: FastAPI) -> Iterator[TestClient]:
    """Somebody without a key."""
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(stranger: TestClient) -> TestClient:
    stranger.headers["Authorization"] = f"Bearer {KEY}"
    return stranger


@pytest.fixture
def stored(settings: Settings) -> Path:
    """The folder of the blobs."""
    return settings.data_dir / "blobs"
