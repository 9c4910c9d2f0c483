"""A session that acts for a project finds and changes nothing of another's, by whatever query."""

import pytest
from sqlalchemy import delete, func, select, update

from records.database import Database
from records.models import DEFAULT_PROJECT, AuditEntry, Dataset, Job, Model
from records.queries import jobs, leases, models, projects
from records.queries.leases import Lease
from records.states import JobState
from records.tenancy import Actor, act_for, acting_as
from tests import factories


@pytest.fixture
def two(database: Database) -> tuple[str, str]:
    """Ids of two projects, each with a job, a dataset and a model."""
    with database.write() as session:
        ids = [projects.create(session, name).id for name in ("one", "two")]
    for project_id in ids:
        with database.write() as session:
            act_for(session, project_id)
            factories.job(session)
            factories.model(session)
    return ids[0], ids[1]


def owner(project_id: str) -> Actor:
    return Actor(project_id, "key_1", "admin", operator=False, action="test", subjects=("x",), request_id="req_1", address="::1")


class TestReads:
    def test_find_the_own_alone(self, database: Database, two: tuple[str, str]):
        first, second = two
        with database.read() as session:
            act_for(session, first)
            assert {record.project_id for kind in (Dataset, Job, Model) for record in session.scalars(select(kind))} == {first}
            assert session.scalar(select(func.count(Job.id))) == 1
            own = session.scalars(select(Job.id)).all()
        with database.read() as session:
            act_for(session, second)
            assert session.get(Job, own[0]) is None
            assert session.scalar(select(Job.state).where(Job.id == own[0])) is None
            joined = select(Job.id, Dataset.id).join(Dataset, Dataset.id == Job.dataset_id)
            assert len(session.execute(joined).all()) == 1

    def test_files_come_with_the_own(self, database: Database, two: tuple[str, str]):
        with database.read() as session:
            act_for(session, two[0])
            assert [len(model.files) for model in models.page(session, limit=9, after=None)[0]] == [1]

    def test_find_everything_without_a_project(self, database: Database, two: tuple[str, str]):
        with database.read() as session:
            assert session.scalar(select(func.count(Job.id))) == 2


class TestWrites:
    def test_change_the_own_alone(self, database: Database, two: tuple[str, str]):
        first, second = two
        with database.write() as session:
            act_for(session, second)
            session.execute(update(Job).values(priority=7))
            session.execute(delete(Model))
        with database.read() as session:
            assert dict(session.execute(select(Job.project_id, Job.priority)).all()) == {first: 0, second: 7}
            assert list(session.scalars(select(Model.project_id))) == [first]

    def test_what_is_added_without_a_project_is_the_default_one_s(self, database: Database):
        with database.write() as session:
            assert factories.job(session).project_id == DEFAULT_PROJECT


class TestGuarded:
    def test_finds_nothing_while_nobody_is_known(self, database_url: str, two: tuple[str, str]):
        guarded = Database(database_url, guarded=True)
        with guarded.read() as session:
            assert list(session.scalars(select(Job))) == []
        with acting_as(owner(two[0])), guarded.read() as session:
            assert len(list(session.scalars(select(Job)))) == 1
        with guarded.whole.read() as session:
            assert len(list(session.scalars(select(Job)))) == 2
        guarded.engine.dispose()

    def test_what_is_done_is_noted_with_it(self, database_url: str, two: tuple[str, str]):
        guarded = Database(database_url, guarded=True)
        with acting_as(owner(two[0])):
            with guarded.write() as session:
                session.scalars(select(Job)).all()
            with guarded.write() as session:
                job_id = session.scalars(select(Job.id)).one()
                jobs.cancel(session, job_id)
            with guarded.write() as session:
                made = factories.dataset(session).id
            with pytest.raises(ZeroDivisionError), guarded.write() as session:
                assert len(factories.dataset(session).id) / 0
            with guarded.read() as session:
                noted = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        assert [entry.subjects for entry in noted] == [["x"], ["x", made]]
        assert {(entry.action, entry.outcome, entry.key_id, entry.project_id) for entry in noted} == {
            ("test", "done", "key_1", two[0])
        }
        guarded.engine.dispose()


class TestShares:
    """Who gets the next free worker."""

    def test_of_equal_priority_whoever_has_the_fewest_running(self, database: Database, two: tuple[str, str]):
        first, second = two
        with database.write() as session:
            act_for(session, first)
            older = [factories.job(session).id for _ in range(2)]
        with database.write() as session:
            act_for(session, second)
            newer = factories.job(session, priority=0).id
        with database.write() as session:
            assert leases.claim(session, older[0], "worker_1", 60)
        with database.read() as session:
            waiting = leases.next_queued(session, ["pretrain"], ["auto"], limit=9)
        of = {job_id: number for number, job_id in enumerate(waiting)}
        assert of[newer] < of[older[1]]

    def test_a_higher_priority_comes_first_all_the_same(self, database: Database, two: tuple[str, str]):
        with database.write() as session:
            act_for(session, two[0])
            leases.claim(session, factories.job(session).id, "worker_1", 60)
            urgent = factories.job(session, priority=5).id
        with database.read() as session:
            assert leases.next_queued(session, ["pretrain"], ["auto"]) == [urgent]

    def test_a_project_that_has_as_many_as_it_may_waits(self, database: Database, two: tuple[str, str]):
        with database.write() as session:
            projects.get(session, two[0]).most_running = 1
            act_for(session, two[0])
            leases.claim(session, factories.job(session, priority=9).id, "worker_1", 60)
            held_back = factories.job(session, priority=9).id
        with database.read() as session:
            assert held_back not in leases.next_queued(session, ["pretrain"], ["auto"], limit=9)


class TestUsage:
    def test_time_is_counted_by_day_and_device(self, database: Database, two: tuple[str, str]):
        for _ in range(2):
            with database.write() as session:
                act_for(session, two[0])
                job = factories.job(session, device="cuda")
                leases.claim(session, job.id, "worker_1", 60)
            with database.write() as session:
                held = leases.hold(session, Lease(job.id, 1))
                leases.end(session, held, JobState.SUCCEEDED)
        with database.read() as session:
            (day,) = projects.usage(session, two[0], days=1)
            assert (day.device, day.jobs, 0 < day.seconds < 60) == ("cuda", 2, True)
            assert projects.gpu_seconds(session, two[0]) == day.seconds
            assert projects.usage(session, two[1], days=1) == []

    def test_a_lost_worker_counts_as_long_as_its_lease(self, database: Database, two: tuple[str, str]):
        with database.write() as session:
            act_for(session, two[0])
            job = factories.job(session)
            leases.claim(session, job.id, "worker_1", -5)
        with database.write() as session:
            assert leases.reap(session, max_failures=4) == [job.id]
        with database.read() as session:
            assert [day.seconds for day in projects.usage(session, two[0], days=1)] == [0]
