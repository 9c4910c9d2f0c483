"""What a transaction does, it tells; what it does not, it does not."""

import json

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from records import outbox
from records.database import Database, now
from records.models import WebhookDelivery
from records.outbox import TYPES, matches
from records.queries import datasets, jobs, leases, projects, webhooks
from records.queries.leases import Lease
from records.states import JobState
from records.tenancy import act_for
from tests import factories


@pytest.fixture
def webhook_id(database: Database) -> str:
    with database.write() as session:
        return factories.webhook(session).id


def told(database: Database) -> list[str]:
    """Types of what is on its way, in order."""
    with database.read() as session:
        return list(session.scalars(select(WebhookDelivery.type).order_by(WebhookDelivery.id)))


class TestReaping:
    def test_tells_each_project_of_its_own(self, database: Database, webhook_id: str):
        with database.write() as session:
            act_for(session, projects.create(session, "theirs").id)
            hooks = {factories.webhook(session).id: factories.job(session, dataset_id=None).id}
        with database.write() as session:
            hooks[webhook_id] = factories.job(session, dataset_id=None).id
        for job_id in hooks.values():
            with database.write() as session:
                leases.claim(session, job_id, "worker_1", -5)
        with database.write() as session:
            leases.reap(session, max_failures=1)
        with database.read() as session:
            query = select(WebhookDelivery).where(WebhookDelivery.type == "job.failed")
            found = {one.webhook_id: json.loads(one.payload)["data"]["id"] for one in session.scalars(query)}
            assert session.scalar(select(func.count()).select_from(query.subquery())) == 2
        assert found == hooks


class TestJobs:
    def test_tell_of_each_state(self, database: Database, webhook_id: str):
        with database.write() as session:
            job_id = factories.job(session, dataset_id=None).id
        for attempt in (1, 2):
            with database.write() as session:
                assert leases.claim(session, job_id, "worker_1", 60)
            with database.write() as session:
                job = leases.hold(session, Lease(job_id, attempt))
                leases.end(session, job, JobState.QUEUED if attempt == 1 else JobState.SUCCEEDED)
        assert told(database) == ["job.queued", "job.started", "job.queued", "job.started", "job.succeeded"]

    def test_that_are_paused_and_cancelled(self, database: Database, webhook_id: str):
        with database.write() as session:
            job_id = factories.job(session, dataset_id=None).id
        for act in (jobs.pause, jobs.cancel, jobs.cancel):
            with database.write() as session:
                act(session, job_id)
        assert told(database) == ["job.queued", "job.paused", "job.cancelled"]

    def test_whose_worker_was_lost(self, database: Database, webhook_id: str):
        with database.write() as session:
            job_id = factories.job(session, dataset_id=None).id
        for _ in range(2):
            with database.write() as session:
                leases.claim(session, job_id, "worker_1", -5)
            with database.write() as session:
                leases.reap(session, max_failures=2)
        assert told(database)[-2:] == ["job.started", "job.failed"]

    def test_are_told_as_they_are_when_the_transaction_is_committed(self, database: Database, webhook_id: str):
        with database.write() as session:
            job = factories.job(session, dataset_id=None, metadata={"for": "ä"})
            job.model_id = "model_1"
        with database.read() as session:
            delivery = session.scalars(select(WebhookDelivery)).one()
        payload = json.loads(delivery.payload)
        assert list(payload) == ["type", "timestamp", "data"]
        assert (payload["data"]["model_id"], payload["data"]["metadata"]) == ("model_1", {"for": "ä"})
        assert payload["timestamp"].endswith("Z")

    def test_that_cannot_be_begun_are_told_to_have_failed_alone(self, database: Database, webhook_id: str):
        with database.write() as session:
            job_id = factories.job(session, dataset_id=None).id
        with database.write() as session:
            job = leases.claim(session, job_id, "worker_1", 60)
            assert job is not None
            leases.end(session, job, JobState.FAILED, error={"code": "x", "message": "y"})
        assert told(database) == ["job.queued", "job.failed"]


class TestResources:
    def test_tell_of_what_becomes_of_them(self, database: Database, webhook_id: str):
        with database.write() as session:
            dataset_id = factories.dataset(session, state="ingesting").id
        with database.write() as session:
            datasets.get(session, dataset_id).state = "ready"
            datasets.get(session, dataset_id).images = 7
        with database.write() as session:
            datasets.get(session, dataset_id).name = "renamed"
        with database.write() as session:
            other = factories.dataset(session, state="ingesting").id
        with database.write() as session:
            datasets.get(session, other).state = "failed"
        for make in (factories.model, factories.evaluation, factories.embedding):
            with database.write() as session:
                make(session)
        assert told(database) == [
            *("dataset.created", "dataset.ready", "dataset.created", "dataset.failed"),
            *("model.created", "evaluation.created", "embedding.created"),
        ]

    def test_tell_all_that_their_transaction_changed(self, database: Database, webhook_id: str):
        with database.write() as session:
            dataset = factories.dataset(session, state="ready", images=None)
            session.flush()
            dataset.images = 7
        with database.read() as session:
            assert json.loads(session.scalars(select(WebhookDelivery.payload)).one())["data"]["images"] == 7


class TestTransactions:
    def test_that_are_rolled_back_tell_nothing(self, database: Database, webhook_id: str):
        with pytest.raises(ZeroDivisionError), database.write() as session:
            assert len(factories.job(session).id) / 0
        assert told(database) == []

    def test_write_one_event_for_all_who_listen(self, database: Database, webhook_id: str):
        with database.write() as session:
            factories.webhook(session, events=["model.*"])
            factories.webhook(session, events=["job.*"])
            webhooks.disable(session, factories.webhook(session), "test")
        with database.write() as session:
            factories.model(session)
        with database.read() as session:
            count = select(
                func.count(), func.count(WebhookDelivery.event_id.distinct()), func.count(WebhookDelivery.payload.distinct())
            )
            assert session.execute(count).one() == (2, 1, 1)

    def test_tell_nobody_of_another_project_s(self, database: Database, webhook_id: str):
        with database.write() as session:
            act_for(session, projects.create(session, "theirs").id)
            theirs = factories.webhook(session).id
            factories.model(session)
        with database.write() as session:
            factories.model(session)
        with database.read() as session:
            found = list(session.scalars(select(WebhookDelivery.webhook_id).order_by(WebhookDelivery.id)))
        assert found == [theirs, webhook_id]

    def test_of_a_worker_write_for_the_project_of_each_job(self, database: Database, webhook_id: str):
        with database.write() as session:
            act_for(session, projects.create(session, "theirs").id)
            their_job = factories.job(session, dataset_id=None).id
            their_hook = factories.webhook(session, events=["job.started"]).id
        with database.write() as session:
            leases.claim(session, their_job, "worker_1", 60)
        with database.read() as session:
            found = session.execute(select(WebhookDelivery.webhook_id, WebhookDelivery.type)).all()
        assert (their_hook, "job.started") in found
        assert webhook_id not in {hook for hook, _ in found}


def delete(database: Database, webhook_id: str) -> None:
    with database.write() as session:
        session.execute(text("SET LOCAL lock_timeout = '50ms'"))
        webhooks.delete(session, webhook_id)


class TestLocks:
    def test_a_webhook_can_be_changed_but_not_deleted_while_it_is_told(self, postgres_url: str):
        database = Database(postgres_url)
        with database.write() as session:
            id_ = factories.webhook(session).id
            looked_at = factories.webhook(session, events=["job.*"]).id
        with database.write() as telling:
            factories.model(telling)
            outbox.write(telling, now(telling))
            with database.write() as session:
                webhooks.disable(session, webhooks.get(session, id_), "a test")
            for each in (id_, looked_at):
                with pytest.raises(OperationalError, match="lock timeout"):
                    delete(database, each)
        assert told(database) == ["model.created"]
        database.engine.dispose()


class TestPatterns:
    def test_match_a_type_a_kind_or_everything(self):
        assert [type_ for type_ in TYPES if matches(["dataset.*"], type_)] == ["dataset.created", "dataset.ready", "dataset.failed"]
        assert all(matches(["*"], type_) for type_ in TYPES)
        assert not matches(["job.failed"], "job.succeeded")
