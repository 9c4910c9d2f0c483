from datetime import timedelta

import pytest

from records.database import Database, now
from records.queries import jobs, leases, workers
from records.queries.room import Room, choose
from records.states import JobState
from tests import factories

GB = 10**9


def waiting(database: Database, *sizes: float | None, device: str = "auto") -> list[str]:
    """Ids of queued jobs that take so many GB each."""
    with database.write() as session:
        dataset_id = factories.dataset(session).id
        return [
            factories.job(session, dataset_id=dataset_id, device=device, memory_bytes=None if size is None else round(size * GB)).id
            for size in sizes
        ]


def pick(database: Database, ids: list[str], *, memory: float = 10, patience: float = 300, device: str = "cpu") -> str | None:
    with database.write() as session:
        return choose(session, Room("w", device, round(memory * GB), patience), ids)


def start(database: Database, job_id: str, worker_id: str = "w") -> None:
    with database.write() as session:
        assert leases.claim(session, job_id, worker_id, 60) is not None


def alive(database: Database, name: str, memory: float, device: str = "cpu") -> None:
    with database.write() as session:
        workers.seen(session, name, host="h", pid=1, device=device, slots={}, memory_bytes=round(memory * GB))


class TestChoose:
    def test_takes_the_first_that_fits_beside_those_that_run(self, database: Database):
        first, big, small = waiting(database, 6, 6, 3)
        assert pick(database, [first, big, small]) == first
        start(database, first)
        assert pick(database, [big, small]) == small
        start(database, small)
        assert pick(database, [big]) is None
        with database.write() as session:
            jobs.cancel(session, first)  # one that is being cancelled still has its memory
        assert pick(database, [big]) is None

    def test_what_others_run_takes_nothing_here(self, database: Database):
        first, big = waiting(database, 6, 6)
        start(database, first, "another")
        assert pick(database, [big]) == big

    def test_a_large_one_is_not_passed_over_for_ever(self, database: Database):
        first, big, *small = waiting(database, 6, 6, 1, 1, 1)
        start(database, first)
        assert pick(database, [big, *small]) == small[0]
        start(database, small[0])
        assert pick(database, [big, *small[1:]]) == small[1]
        with database.write() as session:
            jobs.get(session, big).passed_over_at = now(session) - timedelta(seconds=301)
        assert pick(database, [big, *small[1:]]) is None
        with database.write() as session:
            for job_id in (first, small[0]):
                leases.end(session, jobs.get(session, job_id), JobState.SUCCEEDED)
        assert pick(database, [big, *small[1:]]) == big
        start(database, big)
        with database.read() as session:
            assert jobs.get(session, big).passed_over_at is None

    def test_waiting_alone_is_not_being_passed_over(self, database: Database):
        first, big = waiting(database, 6, 6)
        start(database, first)
        assert pick(database, [big]) is None
        with database.read() as session:
            assert jobs.get(session, big).passed_over_at is None

    def test_what_is_too_large_is_left_to_a_larger_worker(self, database: Database):
        huge, small = waiting(database, 20, 1)
        alive(database, "larger", 40)
        assert pick(database, [huge, small], patience=0) == small
        assert pick(database, [huge, small], patience=0) == small
        assert pick(database, [huge, small], memory=40) == huge

    def test_what_is_too_large_for_all_runs_alone(self, database: Database):
        huge, small = waiting(database, 20, 1)
        assert pick(database, [huge, small]) == huge
        start(database, huge)
        assert pick(database, [small]) is None

    @pytest.mark.parametrize(("device", "size"), [("auto", None), ("cpu", 20)])
    def test_what_takes_nothing_of_it_always_fits(self, database: Database, device: str, size: float | None):
        (first,) = waiting(database, 10)
        start(database, first)
        (free,) = waiting(database, size, device=device)
        assert pick(database, [free], device="cuda") == free
