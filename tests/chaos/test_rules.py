"""The real queries against a model of a page, by whatever order of calls Hypothesis comes up with: workers, owners, and time."""

import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule, run_state_machine_as_test
from sqlalchemy import select, update

from records.database import Database, now
from records.errors import ConflictError
from records.models import Dataset, Job, JobEvent, JobMetric, Usage
from records.queries import datasets, jobs, leases
from records.queries.leases import Lease, LeaseLostError
from records.states import ENDED, FOLLOWS, HELD, JobState
from tests import factories

S = JobState
LONG = 1000.0
MOST_FAILURES = 3
EVENT = ("log", {"message": "a"})


@dataclass
class Known:
    """What the model knows of a job."""

    dataset_id: str
    kind: str
    state: JobState = S.QUEUED
    attempt: int = 0
    failures: int = 0
    events: int = 1
    expired: bool = False
    attempts_ended: int = 0
    steps: set[int] = field(default_factory=set)

    def go(self, state: JobState) -> None:
        assert state in FOLLOWS[self.state]
        if self.state in HELD and state not in HELD:
            self.attempts_ended += 1
        self.state = state
        self.events += 1


class Jobs(RuleBasedStateMachine):
    """Owners, workers whose leases may be stale, and a reaper, on one database."""

    jobs: Bundle[str] = Bundle("jobs")
    leases: Bundle[Lease] = Bundle("leases")
    make_database = staticmethod(lambda: Database("sqlite://"))

    def __init__(self) -> None:
        super().__init__()
        self.database = self.make_database()
        self.known: dict[str, Known] = {}

    def teardown(self) -> None:
        self.database.engine.dispose()

    def has(self, lease: Lease) -> bool:
        job = self.known[lease.job_id]
        return job.attempt == lease.attempt and job.state in HELD

    @rule(target=jobs, kind=st.sampled_from(["pretrain", "ingest"]))
    def create(self, kind: str) -> str:
        with self.database.write() as session:
            state = "ingesting" if kind == "ingest" else "ready"
            dataset_id = factories.dataset(session, state=state).id
            job_id = factories.job(session, dataset_id=dataset_id, kind=kind).id
        self.known[job_id] = Known(dataset_id, kind)
        return job_id

    @rule(target=leases, job_id=jobs, worker=st.sampled_from(["a", "b", "c"]))
    def claim(self, job_id: str, worker: str):
        job = self.known[job_id]
        with self.database.write() as session:
            claimed = leases.claim(session, job_id, worker, LONG)
        assert (claimed is not None) == (job.state == S.QUEUED)
        if claimed is None:
            return multiple()
        job.go(S.RUNNING)
        job.attempt += 1
        job.expired = False
        assert claimed.attempt == job.attempt
        return Lease(job_id, claimed.attempt)

    @rule(lease=leases)
    def renew(self, lease: Lease) -> None:
        job = self.known[lease.job_id]
        if not self.has(lease):
            with self.database.write() as session, pytest.raises(LeaseLostError):
                leases.renew(session, lease, LONG)
            return
        with self.database.write() as session:
            assert leases.renew(session, lease, LONG) == job.state
        job.expired = False

    @rule(lease=leases, step=st.integers(1, 5), answered=st.booleans())
    def write_down(self, lease: Lease, step: int, answered: bool) -> None:
        """A batch whose answer does not arrive is sent again, and counts once."""
        job = self.known[lease.job_id]
        figures = [{"time": 0.0, "step": step, "epoch": 1, "values": {"loss": 1.0}}]
        batch = {"found": [EVENT, EVENT], "metrics": figures, "progress": {"step": step}}
        if not self.has(lease):
            with self.database.write() as session, pytest.raises(LeaseLostError):
                leases.write_down(session, lease, **batch)
            return
        before = job.events
        with self.database.write() as session:
            assert leases.write_down(session, lease, **batch) == before + 2
        if not answered:
            with self.database.write() as session:
                assert leases.write_down(session, lease, **batch, unless_after=before) == before + 2
        job.events += 2
        job.steps.add(step)

    @rule(lease=leases, state=st.sampled_from([S.SUCCEEDED, S.FAILED, S.QUEUED]))
    def end(self, lease: Lease, state: JobState) -> None:
        """As an attempt ends: what its owner asked for meanwhile comes first."""
        job = self.known[lease.job_id]
        if not self.has(lease):
            with self.database.write() as session, pytest.raises(LeaseLostError):
                leases.hold(session, lease)
            return
        if job.state == S.CANCELLING:
            state = S.CANCELLED
        elif job.state == S.PAUSING and state == S.QUEUED:
            state = S.PAUSED
        with self.database.write() as session:
            leases.end(session, leases.hold(session, lease), state)
        job.go(state)

    @rule(job_id=jobs)
    def time_passes(self, job_id: str) -> None:
        """No heartbeat comes for as long as a lease lasts."""
        with self.database.write() as session:
            past = now(session) - timedelta(seconds=1)
            session.execute(update(Job).where(Job.id == job_id, Job.lease_until.is_not(None)).values(lease_until=past))
        self.known[job_id].expired = True

    @rule()
    def reap(self) -> None:
        with self.database.write() as session:
            again = set(leases.reap(session, max_failures=MOST_FAILURES))
        for job_id, job in self.known.items():
            if not (job.state in HELD and job.expired):
                assert job_id not in again
                continue
            if job.state == S.CANCELLING:
                job.go(S.CANCELLED)
            elif job.failures + 1 >= MOST_FAILURES:
                job.failures += 1
                job.go(S.FAILED)
            elif job.state == S.PAUSING:
                job.go(S.PAUSED)
            else:
                job.failures += 1
                job.go(S.QUEUED)
            assert (job_id in again) == (job.state == S.QUEUED)

    @rule(job_id=jobs)
    def pause(self, job_id: str) -> None:
        self.ask(job_id, "pause", {S.QUEUED: S.PAUSED, S.RUNNING: S.PAUSING}, {S.PAUSED, S.PAUSING})

    @rule(job_id=jobs)
    def resume(self, job_id: str) -> None:
        self.ask(job_id, "resume", {S.PAUSED: S.QUEUED}, {S.QUEUED, S.RUNNING})

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        held = dict.fromkeys((S.RUNNING, S.PAUSING), S.CANCELLING)
        self.ask(job_id, "cancel", {S.QUEUED: S.CANCELLED, S.PAUSED: S.CANCELLED, **held}, {S.CANCELLING, S.CANCELLED})

    def ask(self, job_id: str, what: str, leads_to: dict[JobState, JobState], already: set[JobState]) -> None:
        job = self.known[job_id]
        if job.state not in leads_to and job.state not in already:
            with self.database.write() as session, pytest.raises(ConflictError):
                getattr(jobs, what)(session, job_id)
            return
        with self.database.write() as session:
            found = getattr(jobs, what)(session, job_id)
        if job.state in leads_to:
            job.go(leads_to[job.state])
        assert found.state == job.state

    @rule(job_id=consumes(jobs))
    def delete_dataset(self, job_id: str) -> None:
        """Refused as long as the job may need it. The job's record stays."""
        job = self.known[job_id]
        if job.state not in ENDED:
            with self.database.write() as session, pytest.raises(ConflictError):
                datasets.delete(session, job.dataset_id)
            return
        with self.database.write() as session:
            datasets.delete(session, job.dataset_id)

    @invariant()
    def what_is_written_is_what_is_known(self) -> None:
        with self.database.read() as session:
            for job in session.scalars(select(Job)):
                known = self.known[job.id]
                assert (job.state, job.attempt, job.failures, job.last_event) == (
                    known.state,
                    known.attempt,
                    known.failures,
                    known.events,
                )
                assert (job.worker_id is not None) == (job.lease_until is not None) == (job.state in HELD)
                assert (job.finished_at is not None) == (job.state in ENDED)
                if job.state == S.QUEUED and job.dataset_id is None:
                    raise AssertionError("a job waits for a dataset that is gone")
            steps = {(job_id, step) for job_id, job in self.known.items() for step in job.steps}
            assert {(row.job_id, row.step) for row in session.scalars(select(JobMetric))} == steps

    @invariant()
    def every_history_is_a_legal_one(self) -> None:
        with self.database.read() as session:
            rows = list(session.execute(select(JobEvent.job_id, JobEvent.seq, JobEvent.data).order_by(JobEvent.seq)))
        for job_id, known in self.known.items():
            mine = [(seq, data) for id_, seq, data in rows if id_ == job_id]
            assert [seq for seq, _ in mine] == list(range(1, known.events + 1))
            path = [S(data["state"]) for _, data in mine if "state" in data]
            assert all(after in FOLLOWS[before] for before, after in pairwise(path))
            assert (path[0], path[-1]) == (S.QUEUED, known.state)

    @invariant()
    def usage_adds_up(self) -> None:
        with self.database.read() as session:
            counted = sum(usage.jobs for usage in session.scalars(select(Usage)))
        assert counted == sum(job.attempts_ended for job in self.known.values())

    @invariant()
    def no_dataset_waits_for_an_ingest_that_has_ended(self) -> None:
        with self.database.read() as session:
            waiting = set(session.scalars(select(Dataset.id).where(Dataset.state == "ingesting")))
        for job in self.known.values():
            if job.kind == "ingest" and job.state == S.CANCELLED:
                assert job.dataset_id not in waiting


def run(make_database, examples: int, steps: int) -> None:
    class Here(Jobs):
        pass

    Here.make_database = staticmethod(make_database)
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    wanted = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=quiet,
    )
    run_state_machine_as_test(Here, settings=wanted)


@pytest.mark.timeout(300)
class TestJobs:
    def test_on_sqlite(self, migrated_sqlite: bytes, long_chaos: bool):
        with tempfile.TemporaryDirectory() as folder:
            count = iter(range(1_000_000))

            def fresh() -> Database:
                path = Path(folder) / f"{next(count)}.db"
                path.write_bytes(migrated_sqlite)
                return Database(f"sqlite:///{path}")

            run(fresh, 200 if long_chaos else 12, 40)

    def test_on_postgresql(self, postgres_url: str, long_chaos: bool):
        def emptied() -> Database:
            database = Database(postgres_url)
            with database.write() as session:
                for table in (JobEvent, JobMetric, Job, Dataset, Usage):
                    session.query(table).delete()
            return database

        run(emptied, 60 if long_chaos else 4, 40)
