import socket

import pytest
from typer.testing import CliRunner

from launcher.main import app
from records.database import Database
from records.queries import workers


class TestWorkerCheck:
    @pytest.fixture
    def check(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PRETEXT_DATABASE_URL", sqlite_url)
        return lambda: CliRunner().invoke(app, ["worker", "--check"])

    def test_tells_whether_this_host_s_worker_is_alive(self, check, sqlite_url: str):
        database = Database(sqlite_url)
        with database.write() as session:
            workers.seen(session, "worker_other", host="elsewhere", pid=1, device="cpu", slots={})
        refused = check()
        assert refused.exit_code == 1
        assert "no worker of" in refused.stderr
        with database.write() as session:
            workers.seen(session, "worker_own", host=socket.gethostname(), pid=1, device="cpu", slots={})
        assert (check().exit_code, check().stdout) == (0, "alive\n")
        with database.write() as session:
            workers.gone(session, "worker_own")
        assert check().exit_code == 1

    def test_a_database_that_does_not_answer_is_no_good_sign(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PRETEXT_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2")
        refused = CliRunner().invoke(app, ["worker", "--check"])
        assert refused.exit_code == 1
        assert "does not answer" in refused.stderr
