from pathlib import Path

import pytest

from records.database import Database
from records.queries import leases, logs
from records.queries.leases import Lease
from records.settings import Settings
from tests import factories
from worker.child import _environment
from worker.logs import Log


@pytest.fixture
def lease(database: Database) -> Lease:
    with database.write() as session:
        job_id = factories.job(session).id
        leases.claim(session, job_id, "w", 60)
        return Lease(job_id, 1)


@pytest.fixture
def log(database: Database, lease: Lease, tmp_path: Path, settings: Settings) -> Log:
    return Log(database, lease, tmp_path / "log.txt", settings)


def stored(database: Database, lease: Lease) -> str:
    with database.read() as session:
        return logs.since(session, lease.job_id, 0).text


class TestLog:
    def test_whole_lines_come_as_they_are_written(self, database: Database, lease: Lease, log: Log, tmp_path: Path):
        log.say("--- begins ---")
        with (tmp_path / "log.txt").open("w", encoding="utf-8") as file:
            for text, seen in (("one\ntw", "one\n"), ("o\nlast", "one\ntwo\n")):
                file.write(text)
                file.flush()
                assert log.flush()
                assert stored(database, lease) == "--- begins ---\n" + seen
        assert log.flush(ended=True)
        assert stored(database, lease) == "--- begins ---\none\ntwo\nlast\n"

    def test_tells_no_secrets(
        self, database: Database, lease: Lease, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("SOME_TOKEN", "tok-123456")
        url = "postgresql+psycopg://me:hunter22@db/x"
        log = Log(database, lease, tmp_path / "log.txt", settings.model_copy(update={"database_url": url}))
        (tmp_path / "log.txt").write_text(f"{url} tok-123456 pretext_abcdefghijklmnop redis://:sesame@h/0\nhunter22 \0 kept\n")
        log.flush(ended=True)
        text = stored(database, lease)
        assert not [secret for secret in ("hunter22", "tok-123456", "abcdefgh", "sesame", "\0") if secret in text]
        assert ("redis://:[hidden]@h/0" in text, text.endswith("kept\n")) == (True, True)

    def test_the_child_is_not_told_them_in_the_first_place(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PRETEXT_API_KEY", "pretext_x")
        monkeypatch.setenv("PRETEXT_DATABASE_URL", "postgresql://me:hunter22@db/x")
        assert not {"PRETEXT_API_KEY", "PRETEXT_DATABASE_URL"} & _environment().keys()

    def test_is_bounded_and_says_what_is_left_out(self, database: Database, lease: Lease, log: Log, tmp_path: Path):
        with (tmp_path / "log.txt").open("a", encoding="utf-8") as file:
            for number in range(40):
                file.write(f"{number:04} " + "ä" * 50_000 + "\n")
                file.flush()
                log.flush()
        with database.read() as session:
            whole = logs.since(session, lease.job_id, 0)
            assert logs.MOST_BYTES <= len(whole.text.encode()) <= logs.MOST_BYTES * 1.2
            assert (whole.first > 0, whole.start) == (True, whole.first)
            assert whole.end - whole.start == len(whole.text.encode())
            assert "0039" in whole.text
            rest = logs.since(session, lease.job_id, whole.end - 11)
            assert len(rest.text.encode()) == 11
            assert logs.since(session, lease.job_id, whole.end).text == ""
        (tmp_path / "log.txt").write_text((tmp_path / "log.txt").read_text() + "x\n" * 2_000_000)
        log.flush()
        assert "bytes are left out here" in stored(database, lease)
