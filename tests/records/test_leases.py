import threading

import pytest
from sqlalchemy.exc import DBAPIError

from records.database import Database, is_away
from records.models import Job
from records.queries import events, jobs, leases
from records.queries.leases import Lease, LeaseLostError
from records.states import JobState
from tests import factories

EXPIRED = -1.0


@pytest.fixture
def job_id(database: Database) -> str:
    with database.write() as session:
        return factories.job(session).id


class TestClaim:
    def test_raises_the_attempt(self, database: Database, job_id: str):
        with database.write() as session:
            job = leases.claim(session, job_id, "w", 10)
            assert job is not None
            assert (job.attempt, job.state, job.worker_id) == (1, JobState.RUNNING, "w")
            assert job.started_at is not None

    def test_only_one_of_many_gets_it(self, database: Database, job_id: str):
        won: list[int] = []
        barrier = threading.Barrier(6)

        def compete(number: int) -> None:
            barrier.wait()
            with database.write() as session:
                if leases.claim(session, job_id, f"w{number}", 10) is not None:
                    won.append(number)

        threads = [threading.Thread(target=compete, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        with database.read() as session:
            assert jobs.get(session, job_id).attempt == 1


class TestFrozen:
    def test_within_a_transaction_it_lets_go_of_what_it_has_locked(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("records.database.IDLE_SECONDS", 0.3)
        frozen, other = Database(postgres_url), Database(postgres_url)
        with other.write() as session:
            job_id = factories.job(session).id

        def hold_and_go_on_later() -> None:
            with frozen.write() as session:
                jobs.locked(session, job_id)
                with other.write() as meanwhile:
                    jobs.cancel(meanwhile, job_id)
                jobs.pause(session, job_id)

        with pytest.raises(DBAPIError, match="idle-in-transaction") as told:
            hold_and_go_on_later()
        assert is_away(told.value)
        with frozen.read() as session:
            assert jobs.get(session, job_id).state == JobState.CANCELLED
        for database in (frozen, other):
            database.engine.dispose()


class TestFencing:
    def test_a_worker_that_lost_its_job_writes_nothing_more(self, database: Database, job_id: str):
        with database.write() as session:
            leases.claim(session, job_id, "frozen", EXPIRED)
        with database.write() as session:
            assert leases.reap(session, max_failures=5) == [job_id]
            leases.claim(session, job_id, "next", 10)
        old = Lease(job_id, 1)
        with database.write() as session, pytest.raises(LeaseLostError):
            leases.renew(session, old, 10)
        with database.write() as session, pytest.raises(LeaseLostError):
            leases.write_down(session, old, found=[("log", {})], metrics=[], progress={"phase": "train"})
        with database.write() as session, pytest.raises(LeaseLostError):
            leases.hold(session, old)
        with database.read() as session:
            job = jobs.get(session, job_id)
            assert (job.worker_id, job.progress) == ("next", None)


class TestWriteDown:
    def test_numbers_events_without_gaps_and_keeps_one_row_a_step(self, database: Database, job_id: str):
        with database.write() as session:
            leases.claim(session, job_id, "w", 10)
        for loss in (2.0, 1.0):
            with database.write() as session:
                metrics = [{"time": 0.0, "step": 10, "epoch": 1, "values": {"loss": loss}}]
                leases.write_down(
                    session,
                    Lease(job_id, 1),
                    found=[("log", {"message": "a"}), ("log", {})],
                    metrics=metrics,
                    progress={"step": 10},
                )
        with database.read() as session:
            found, more = events.page(session, job_id, after=0, limit=100)
            assert [event.seq for event in found] == [1, 2, 3, 4, 5, 6]
            assert not more
            stored, _ = events.metrics(session, job_id, after=0, limit=10)
            assert [(metric.step, metric.values) for metric in stored] == [(10, {"loss": 1.0})]
            assert jobs.get(session, job_id).progress == {"step": 10}


class TestReap:
    def test_leaves_living_leases_alone(self, database: Database, job_id: str):
        with database.write() as session:
            leases.claim(session, job_id, "w", 10)
        with database.write() as session:
            assert leases.reap(session, max_failures=5) == []

    def test_cancelling_ends_as_cancelled(self, database: Database, job_id: str):
        with database.write() as session:
            leases.claim(session, job_id, "w", EXPIRED)
        with database.write() as session:
            jobs.cancel(session, job_id)
            leases.reap(session, max_failures=5)
        with database.read() as session:
            assert jobs.get(session, job_id).state == JobState.CANCELLED

    def test_a_job_that_takes_its_workers_down_fails(self, database: Database, job_id: str):
        for _ in range(3):
            with database.write() as session:
                leases.claim(session, job_id, "w", EXPIRED)
                leases.reap(session, max_failures=3)
        with database.read() as session:
            job = jobs.get(session, job_id)
            assert job.state == JobState.FAILED
            assert job.error is not None
            assert job.error["code"] == "worker_lost"


class TestNextQueued:
    def test_highest_priority_then_oldest_and_only_what_the_device_can_run(self, database: Database):
        with database.write() as session:
            dataset_id = factories.dataset(session).id
            made = {
                name: factories.job(session, dataset_id=dataset_id, **more).id
                for name, more in {
                    "urgent": {"priority": 5, "device": "cpu"},
                    "gpu": {"priority": 9, "device": "cuda"},
                    "ingest": {"kind": "ingest", "priority": 9},
                    "low": {"priority": -1},
                }.items()
            }
        with database.read() as session:
            assert leases.next_queued(session, ["pretrain"], ["auto", "cpu"], 9) == [made["urgent"], made["low"]]
            assert leases.next_queued(session, ["pretrain"], ["auto", "cpu", "cuda"]) == [made["gpu"]]


class TestEnd:
    def test_handing_back_leaves_the_job_unfinished(self, database: Database, job_id: str):
        with database.write() as session:
            leases.claim(session, job_id, "w", 10)
            leases.end(session, session.get_one(Job, job_id), JobState.QUEUED, reason="handed back by its worker")
        with database.read() as session:
            job = jobs.get(session, job_id)
            assert (job.state, job.finished_at, job.lease_until, job.worker_id) == (JobState.QUEUED, None, None, None)
