import pytest

from records.database import Database
from records.errors import ConflictError, IdempotencyError, NotFoundError
from records.models import Job
from records.queries import events, jobs, leases
from records.queries.leases import Lease
from records.states import JobState
from tests import factories


class TestCreate:
    def test_is_queued_and_says_so(self, database: Database):
        with database.write() as session:
            job = factories.job(session, priority=3)
        with database.read() as session:
            found = jobs.get(session, job.id)
            assert (found.state, found.attempt, found.priority) == (JobState.QUEUED, 0, 3)
            assert [event.data for event in events.page(session, job.id, after=0, limit=10)[0]] == [{"state": "queued"}]

    def test_an_unknown_id_is_not_found(self, database: Database):
        with database.read() as session, pytest.raises(NotFoundError, match="there is no job 'job_x'"):
            jobs.get(session, "job_x")


class TestReplayed:
    def test_finds_the_job_of_the_same_request(self, database: Database):
        with database.write() as session:
            job = factories.job(session, idempotency_key="k", request_hash="h")
        with database.read() as session:
            assert jobs.replayed(session, "k", "h").id == job.id
            assert jobs.replayed(session, "other", "h") is None
            assert jobs.replayed(session, None, "h") is None

    def test_refuses_the_key_for_another_request(self, database: Database):
        with database.write() as session:
            factories.job(session, idempotency_key="k", request_hash="h")
        with database.read() as session, pytest.raises(IdempotencyError):
            jobs.replayed(session, "k", "different")


class TestPage:
    def test_walks_through_all_newest_first(self, database: Database):
        with database.write() as session:
            dataset_id = factories.dataset(session).id
            made = sorted((factories.job(session, dataset_id=dataset_id).id for _ in range(5)), reverse=True)
        seen: list[str] = []
        more, after = True, None
        while more:
            with database.read() as session:
                found, more = jobs.page(session, limit=2, after=after)
            seen += [job.id for job in found]
            after = seen[-1]
        assert seen == made

    def test_filters(self, database: Database):
        with database.write() as session:
            dataset_id = factories.dataset(session).id
            ingest = factories.job(session, dataset_id=dataset_id, kind="ingest")
            factories.job(session)
        with database.read() as session:
            assert [job.id for job in jobs.page(session, limit=9, after=None, kind="ingest")[0]] == [ingest.id]
            assert [job.id for job in jobs.page(session, limit=9, after=None, dataset_id=dataset_id)[0]] == [ingest.id]
            assert jobs.page(session, limit=9, after=None, state="failed") == ([], False)


class TestPause:
    def test_what_waits_is_paused_at_once_and_can_go_on(self, database: Database):
        with database.write() as session:
            job = factories.job(session)
        with database.write() as session:
            assert jobs.pause(session, job.id).state == JobState.PAUSED
            assert jobs.pause(session, job.id).state == JobState.PAUSED
            assert leases.next_queued(session, ["pretrain"], ["auto"]) == []
        with database.write() as session:
            found = jobs.resume(session, job.id)
            assert (found.state, found.finished_at) == (JobState.QUEUED, None)
            assert jobs.resume(session, job.id).state == JobState.QUEUED
            assert leases.next_queued(session, ["pretrain"], ["auto"]) == [job.id]

    def test_what_runs_is_pausing_until_its_worker_lets_it_go(self, database: Database):
        with database.write() as session:
            job = factories.job(session)
            leases.claim(session, job.id, "w", 10)
        with database.write() as session:
            assert jobs.pause(session, job.id).state == JobState.PAUSING
        with database.write() as session, pytest.raises(ConflictError, match="still being paused"):
            jobs.resume(session, job.id)
        with database.write() as session:
            leases.end(session, leases.hold(session, Lease(job.id, 1)), JobState.PAUSED)
        with database.write() as session:
            assert (jobs.get(session, job.id).finished_at, jobs.resume(session, job.id).state) == (None, JobState.QUEUED)

    @pytest.mark.parametrize("change", [jobs.pause, jobs.resume])
    def test_what_has_ended_stays_as_it_is(self, database: Database, change):
        with database.write() as session:
            job = factories.job(session)
            jobs.cancel(session, job.id)
        with database.write() as session, pytest.raises(ConflictError, match="cancelled"):
            change(session, job.id)


class TestCancel:
    def test_what_waits_is_cancelled_at_once(self, database: Database):
        with database.write() as session:
            job = factories.job(session)
        with database.write() as session:
            assert jobs.cancel(session, job.id).state == JobState.CANCELLED
        with database.read() as session:
            assert jobs.get(session, job.id).finished_at is not None
        with database.write() as session:
            assert jobs.cancel(session, job.id).state == JobState.CANCELLED
            assert len(events.page(session, job.id, after=0, limit=10)[0]) == 2

    def test_what_runs_is_cancelling_until_its_worker_has_stopped(self, database: Database):
        with database.write() as session:
            job = factories.job(session)
            leases.claim(session, job.id, "w", 10)
        with database.write() as session:
            assert jobs.cancel(session, job.id).state == JobState.CANCELLING
        with database.write() as session:
            assert leases.renew(session, Lease(job.id, 1), 10) is JobState.CANCELLING

    @pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED])
    def test_what_has_ended_stays_as_it_is(self, database: Database, state: JobState):
        with database.write() as session:
            job = factories.job(session)
            leases.claim(session, job.id, "w", 10)
            leases.end(session, session.get_one(Job, job.id), state)
        with database.write() as session, pytest.raises(ConflictError, match=state):
            jobs.cancel(session, job.id)
