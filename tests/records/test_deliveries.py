"""Who may send what when, and what is noted of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from records.database import Database
from records.errors import ConflictError
from records.models import AuditEntry, Webhook, WebhookAttempt, WebhookDelivery
from records.queries import deliveries, webhooks
from records.queries.deliveries import Outcome, Sending
from tests import factories

_KEY = "0" * 16
_OK = Outcome(at=datetime.now(UTC), seconds=0.1, status=204, error=None, answer="")
_BAD = Outcome(at=datetime.now(UTC), seconds=0.1, status=500, error="it answered 500", answer="x", again=timedelta(minutes=5))


@pytest.fixture
def webhook_id(database: Database) -> str:
    with database.write() as session:
        return factories.webhook(session).id


def send(database: Database, webhook_id: str, count: int = 1) -> list[str]:
    with database.write() as session:
        return [webhooks.test(session, webhooks.get(session, webhook_id)).id for _ in range(count)]


def claim(
    database: Database, busy: dict[str, int] | None = None, free: int = 16, most: int = 4, seconds: float = 60
) -> list[Sending]:
    with database.write() as session:
        return deliveries.claim(session, key_print=_KEY, busy=busy or {}, free=free, most=most, seconds=seconds)


def note(database: Database, sending: Sending, outcome: Outcome) -> None:
    with database.write() as session:
        deliveries.note(session, sending, outcome)


def read(database: Database, id_: str) -> WebhookDelivery:
    with database.read() as session:
        return session.get_one(WebhookDelivery, id_)


class TestClaims:
    def test_are_taken_once(self, database: Database, webhook_id: str):
        (delivery_id,) = send(database, webhook_id)
        (taken,) = claim(database)
        assert (taken.delivery_id, taken.attempt, taken.tries, taken.secrets) == (delivery_id, 1, 1, [1])
        assert claim(database) == []
        assert read(database, delivery_id).state == "sending"

    def test_are_over_with_their_time_and_come_again_with_the_same_id(self, database: Database, webhook_id: str):
        (delivery_id,) = send(database, webhook_id)
        (lost,) = claim(database, seconds=-1)
        (again,) = claim(database)
        assert (again.attempt, again.event_id, again.payload) == (2, lost.event_id, lost.payload)
        note(database, lost, _OK)
        assert read(database, delivery_id).state == "sending"
        note(database, again, _OK)
        assert (read(database, delivery_id).state, read(database, delivery_id).next_at) == ("delivered", None)

    def test_of_several_at_once_are_each_of_one(self, database: Database, webhook_id: str):
        sent = send(database, webhook_id, 24)
        with ThreadPoolExecutor(4) as pool:
            taken = [one.delivery_id for found in pool.map(lambda _: claim(database, most=3), range(16)) for one in found]
        taken += [one.delivery_id for one in claim(database, free=99, most=99)]
        assert sorted(taken) == sorted(sent)

    def test_leave_room_for_others(self, database: Database, webhook_id: str):
        send(database, webhook_id, 20)
        with database.write() as session:
            other = factories.webhook(session).id
        send(database, other, 2)
        taken = [one.webhook_id for one in claim(database, free=8)]
        assert (taken.count(webhook_id), taken.count(other)) == (4, 2)
        assert claim(database, busy={webhook_id: 4, other: 2}) == []
        assert len(claim(database, free=3, busy={webhook_id: 2})) == 2

    def test_come_one_by_one_for_who_fails(self, database: Database, webhook_id: str):
        send(database, webhook_id, 5)
        note(database, claim(database, most=1)[0], _BAD)
        assert len(claim(database)) == 1

    def test_are_for_who_has_the_key(self, database: Database, webhook_id: str):
        send(database, webhook_id)
        with database.write() as session:
            assert deliveries.is_due(session, _KEY)
            assert not deliveries.is_due(session, "other")
            assert deliveries.unsigned(session, "other") == [webhook_id]
            assert deliveries.claim(session, key_print="other", busy={}, free=9, most=9, seconds=9) == []

    def test_hold_what_is_for_a_disabled_one_until_it_is_enabled(self, database: Database, webhook_id: str):
        send(database, webhook_id)
        with database.write() as session:
            webhooks.disable(session, webhooks.get(session, webhook_id), "a test")
        assert claim(database) == []
        with database.write() as session:
            webhooks.enable(session, webhooks.get(session, webhook_id))
        assert len(claim(database)) == 1

    def test_sign_twice_while_the_old_secret_counts(self, database: Database, webhook_id: str):
        send(database, webhook_id, 2)
        with database.write() as session:
            webhooks.rotate(session, webhooks.get(session, webhook_id), _KEY, timedelta(hours=1))
        assert claim(database, most=1)[0].secrets == [2, 1]
        with database.write() as session:
            webhooks.get(session, webhook_id).old_secret_until = datetime.now(UTC) - timedelta(seconds=1)
        assert claim(database, most=1)[0].secrets == [2]


class TestNotes:
    def test_are_kept_of_each_attempt(self, database: Database, webhook_id: str):
        (delivery_id,) = send(database, webhook_id)
        (taken,) = claim(database)
        note(database, taken, _BAD)
        pending = read(database, delivery_id)
        assert (pending.state, pending.finished_at) == ("pending", None)
        assert timedelta(minutes=4) < pending.next_at - datetime.now(UTC) <= timedelta(minutes=5)
        with database.write() as session:
            (kept,) = deliveries.attempts(session, delivery_id)
            assert (kept.number, kept.status, kept.error, kept.answer) == (1, 500, "it answered 500", "x")
            assert webhooks.get(session, webhook_id).failing_since is not None

    def test_of_one_that_went_well_end_the_failing(self, database: Database, webhook_id: str):
        send(database, webhook_id, 2)
        note(database, claim(database, most=1)[0], _BAD)
        note(database, claim(database, most=1)[0], _OK)
        with database.read() as session:
            webhook = webhooks.get(session, webhook_id)
            assert (webhook.failing_since, webhook.delivered_at is not None) == (None, True)

    @pytest.mark.parametrize(("days", "enabled"), [(4.9, True), (5, False)])
    def test_of_days_of_failing_disable_it_and_are_audited(self, database: Database, webhook_id: str, days: float, enabled: bool):
        send(database, webhook_id)
        with database.write() as session:
            webhooks.get(session, webhook_id).failing_since = datetime.now(UTC) - timedelta(days=days)
        note(database, claim(database)[0], _BAD)
        with database.read() as session:
            webhook = webhooks.get(session, webhook_id)
            assert (webhook.enabled, webhook.disabled_at is None) == (enabled, enabled)
            noted = session.scalars(select(AuditEntry)).all()
            assert [(one.action, one.subjects, one.key_id) for one in noted] == (
                [] if enabled else [("disable_webhook", [webhook_id], None)]
            )
            assert enabled or "5 days" in (webhook.disabled_because or "")

    def test_of_410_disable_it_at_once(self, database: Database, webhook_id: str):
        first, second = send(database, webhook_id, 2)
        gone = Outcome(
            at=datetime.now(UTC), seconds=0, status=410, error="it answered 410", answer="", gone=True, again=timedelta(1)
        )
        note(database, claim(database, most=1)[0], gone)
        assert (read(database, first).state, read(database, second).state) == ("failed", "pending")
        with database.read() as session:
            assert "410" in (webhooks.get(session, webhook_id).disabled_because or "")

    def test_of_the_last_attempt_are_for_good(self, database: Database, webhook_id: str):
        (delivery_id,) = send(database, webhook_id)
        note(database, claim(database)[0], Outcome(at=datetime.now(UTC), seconds=0, status=None, error="no", answer=None))
        assert (read(database, delivery_id).state, read(database, delivery_id).next_at) == ("failed", None)


class TestResending:
    def test_starts_over_with_the_same_id(self, database: Database, webhook_id: str):
        (delivery_id,) = send(database, webhook_id)
        (first,) = claim(database)
        note(database, first, _OK)
        with database.write() as session:
            assert deliveries.resend(session, webhook_id, delivery_id).state == "pending"
        (again,) = claim(database)
        assert (again.event_id, again.payload, again.attempt, again.tries) == (first.event_id, first.payload, 2, 1)

    def test_waits_for_what_is_being_sent(self, database: Database, webhook_id: str):
        (delivery_id,) = send(database, webhook_id)
        claim(database)
        with pytest.raises(ConflictError, match="being sent"), database.write() as session:
            deliveries.resend(session, webhook_id, delivery_id)

    def test_is_not_for_a_disabled_one(self, database: Database, webhook_id: str):
        (delivery_id,) = send(database, webhook_id)
        with database.write() as session:
            webhooks.disable(session, webhooks.get(session, webhook_id), "a test")
        with pytest.raises(ConflictError, match="a test"), database.write() as session:
            deliveries.resend(session, webhook_id, delivery_id)


class TestPruning:
    def test_forgets_what_is_old_and_ended(self, database: Database, webhook_id: str):
        kept, ended, held = send(database, webhook_id, 3)
        note(database, next(one for one in claim(database) if one.delivery_id == ended), _OK)
        with database.write() as session:
            for id_ in (ended, held):
                session.get_one(WebhookDelivery, id_).created_at = datetime.now(UTC) - timedelta(days=31)
            assert not deliveries.prune(session, 30)
        with database.read() as session:
            assert set(session.scalars(select(WebhookDelivery.id))) == {kept, held}
            assert session.scalar(select(func.count()).select_from(WebhookAttempt)) == 0

    def test_all_goes_with_the_webhook(self, database: Database, webhook_id: str):
        send(database, webhook_id, 3)
        note(database, claim(database, most=1)[0], _OK)
        with database.write() as session:
            webhooks.delete(session, webhook_id)
        with database.read() as session:
            for kind in (Webhook, WebhookDelivery, WebhookAttempt):
                assert session.scalar(select(func.count()).select_from(kind)) == 0


class TestIndexes:
    def test_what_is_due_is_found_without_reading_what_has_ended(self, sqlite_url: str):
        database = Database(sqlite_url)
        with database.write() as session:
            asked = (
                "SELECT id FROM webhook_deliveries WHERE webhook_id = 'x' AND next_at IS NOT NULL AND next_at <= 1 ORDER BY next_at"
            )
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")
            told = " ".join(row[3] for row in plan)
        database.engine.dispose()
        assert "ix_webhook_deliveries_due" in told
        assert "TEMP B-TREE" not in told
