from httpx import Client

from api.services import Services


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
        answer = stranger.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"]
        assert stranger.get("/healthz").status_code == 200
