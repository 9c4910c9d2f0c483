import os
import time

import pytest
from httpx import Client
from sqlalchemy import text

from api.health import endpoints
from api.services import Services


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(endpoints, "_KEPT_SECONDS", 0.0)


def why_not(stranger: Client) -> str:
    """What is missing, as a stranger is told."""
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert stranger.get("/healthz").status_code == 200
    return str(answer.json()["detail"])


class TestHealth:
    def test_alive_and_ready(self, stranger: Client):
        assert stranger.get("/healthz").json() == {"status": "ok"}
        ready = stranger.get("/readyz")
        assert (ready.status_code, ready.headers["X-Pretext-Broker"]) == (200, "up")

    def test_not_ready_without_its_database(self, stranger: Client, services: Services):
        services.database.engine.dispose()
        path = services.settings.data_dir / "pretext.db"
        for file in path.parent.glob("pretext.db*"):
            file.unlink()
        path.mkdir()
        told = why_not(stranger)
        assert "the database does not answer" in told
        assert str(path.parent) not in told

    def test_not_ready_before_the_migrations_of_its_version(self, stranger: Client, services: Services):
        with services.database.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '0003'"))
        assert "pretext-server migrate" in why_not(stranger)

    def test_ready_while_a_newer_version_is_rolled_out(self, stranger: Client, services: Services):
        with services.database.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert stranger.get("/readyz").status_code == 200

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_not_ready_when_nothing_can_be_stored(self, stranger: Client, services: Services):
        folder = services.settings.data_dir / "blobs"
        folder.chmod(0o500)
        assert "blob store" in why_not(stranger)
        folder.chmod(0o700)

    def test_not_ready_when_the_store_is_gone(self, stranger: Client, services: Services):
        (services.settings.data_dir / "blobs").rename(services.settings.data_dir / "elsewhere")
        assert "blob store" in why_not(stranger)

    def test_says_so_in_time_when_the_database_hangs(self, stranger: Client, services: Services, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(endpoints, "_PATIENCE_SECONDS", 0.3)
        held = [services.database.engine.connect() for _ in range(30)]
        began = time.monotonic()
        assert "in time" in why_not(stranger)
        assert time.monotonic() - began < 5
        for connection in held:
            connection.close()
