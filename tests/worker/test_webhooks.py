"""From what happened to what a receiver gets, over real sockets, checked by the specification's own library."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook as Verifier

from records.database import Database
from records.models import Webhook, WebhookDelivery
from records.queries import deliveries, jobs, webhooks
from records.settings import Settings
from records.signing import signing_key
from tests import factories
from tests.receivers import Receiver, receiving, respond
from tests.worker.test_engine import until
from worker.webhooks import schedule
from worker.webhooks import sender as sender_module
from worker.webhooks.sender import Sender


@pytest.fixture
def worker_settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"webhook_http": True, "webhook_private_networks": "127.0.0.0/8", "webhook_seconds": 5, "webhooks_at_once": 4}
    )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as told:
        yield told


@pytest.fixture
def hook(worker_settings: Settings, database: Database, receiver: Receiver) -> Webhook:
    """A webhook that wants to hear of everything."""
    return make(worker_settings, database, receiver)


def make(settings: Settings, database: Database, receiver: Receiver) -> Webhook:
    key = signing_key(settings, make=True)
    with database.write() as session:
        return factories.webhook(session, url=receiver.url, key_print=key.print)


@pytest.fixture
def start(worker_settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Sender]]:
    """Starts what sends. Pauses are short."""
    monkeypatch.setattr(sender_module, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(schedule, "PAUSES", (0.0,) * 9)
    started: list[Sender] = []

    def begin() -> Sender:
        started.append(Sender(worker_settings, database))
        started[-1].start()
        return started[-1]

    yield begin
    for one in started:
        one.close()


def verifier(settings: Settings, hook: Webhook, number: int = 1) -> Verifier:
    return Verifier(signing_key(settings).shown(hook.id, number))


def test_event(database: Database, hook: Webhook) -> str:
    with database.write() as session:
        return webhooks.test(session, webhooks.get(session, hook.id)).id


test_event.__test__ = False  # type: ignore[attr-defined]


def reaches(database: Database, delivery_id: str, state: str) -> Callable[[], bool]:
    def is_there() -> bool:
        with database.read() as session:
            return session.get_one(WebhookDelivery, delivery_id).state == state

    return is_there


def read(database: Database, hook: Webhook) -> Webhook:
    with database.read() as session:
        return webhooks.get(session, hook.id)


class TestSending:
    def test_what_happened_arrives_signed(self, worker_settings, database: Database, hook: Webhook, receiver: Receiver, start):
        start()
        with database.write() as session:
            job_id = factories.job(session, dataset_id=None).id
        with database.write() as session:
            jobs.cancel(session, job_id)
        told = [verifier(worker_settings, hook).verify(one.body, one.headers) for one in receiver.wait(2)]
        assert {one["type"]: one["data"]["id"] for one in told} == {"job.queued": job_id, "job.cancelled": job_id}
        assert len(set(receiver.ids)) == 2
        assert receiver.got[0].headers["content-type"] == "application/json"

    def test_what_was_written_while_nothing_ran_is_sent_later(self, database: Database, hook: Webhook, receiver: Receiver, start):
        delivery_id = test_event(database, hook)
        assert receiver.got == []
        start()
        until(reaches(database, delivery_id, "delivered"))
        assert len(receiver.got) == 1

    def test_a_slow_receiver_holds_up_no_other(self, worker_settings, database: Database, hook: Webhook, receiver: Receiver, start):
        go_on = threading.Event()
        receiver.answers = [lambda handler: go_on.wait(10) and respond(handler, 204)]
        with receiving() as quick:
            other = make(worker_settings, database, quick)
            slow = [test_event(database, hook) for _ in range(6)]
            fast = [test_event(database, other) for _ in range(6)]
            start()
            for delivery_id in fast:
                until(reaches(database, delivery_id, "delivered"))
            assert len(receiver.got) == 1
            go_on.set()
            for delivery_id in slow:
                until(reaches(database, delivery_id, "delivered"))

    def test_two_secrets_sign_after_a_rotation(self, worker_settings, database: Database, hook: Webhook, receiver: Receiver, start):
        with database.write() as session:
            webhooks.rotate(session, webhooks.get(session, hook.id), hook.key_print, timedelta(hours=1))
        test_event(database, hook)
        start()
        (got,) = receiver.wait(1)
        assert len(got.headers["webhook-signature"].split(" ")) == 2
        for number in (1, 2):
            assert verifier(worker_settings, hook, number).verify(got.body, got.headers)["type"] == "webhook.test"


class TestFailures:
    def test_are_repeated_under_the_same_id(self, worker_settings, database: Database, hook: Webhook, receiver: Receiver, start):
        receiver.answers = [500, lambda handler: handler.connection.close(), 302, 200]
        delivery_id = test_event(database, hook)
        start()
        until(reaches(database, delivery_id, "delivered"))
        assert (len(receiver.got), len(set(receiver.ids)), len({one.body for one in receiver.got})) == (4, 1, 1)
        verifier(worker_settings, hook).verify(receiver.got[-1].body, receiver.got[-1].headers)
        with database.read() as session:
            log = deliveries.attempts(session, delivery_id)
        assert [one.status for one in log] == [500, None, 302, 200]
        assert "redirects are not followed" in (log[2].error or "")
        assert read(database, hook).failing_since is None

    def test_end_after_the_last_of_ten_and_can_be_sent_by_hand(self, database: Database, hook: Webhook, receiver: Receiver, start):
        receiver.answers = [lambda handler: respond(handler, 503, b"not \0 today")]
        delivery_id = test_event(database, hook)
        start()
        until(reaches(database, delivery_id, "failed"))
        assert len(receiver.got) == 10
        receiver.answers = [200]
        with database.write() as session:
            assert deliveries.attempts(session, delivery_id)[0].answer == "not \N{REPLACEMENT CHARACTER} today"
            deliveries.resend(session, hook.id, delivery_id)
        until(reaches(database, delivery_id, "delivered"))
        assert (len(receiver.got), len(set(receiver.ids))) == (11, 1)

    def test_410_disables(self, database: Database, hook: Webhook, receiver: Receiver, start):
        receiver.answers = [410]
        delivery_id = test_event(database, hook)
        start()
        until(reaches(database, delivery_id, "failed"))
        assert (read(database, hook).enabled, len(receiver.got)) == (False, 1)

    def test_wait_as_long_as_the_receiver_asks(self, database: Database, hook: Webhook, receiver: Receiver, start):
        receiver.answers = [lambda handler: respond(handler, 429, Retry_After="3600")]
        delivery_id = test_event(database, hook)
        start()
        until(reaches(database, delivery_id, "pending"))
        receiver.wait(1)
        until(lambda: read(database, hook).failing_since is not None)
        with database.read() as session:
            next_at = session.get_one(WebhookDelivery, delivery_id).next_at
        assert timedelta(minutes=59) < next_at - datetime.now(UTC) < timedelta(minutes=61)

    def test_a_receiver_that_starts_again_gets_what_it_missed(self, database: Database, hook: Webhook, receiver: Receiver, start):
        with receiving() as gone:
            port = gone.port
        with database.write() as session:
            webhooks.get(session, hook.id).url = f"http://127.0.0.1:{port}/"
        delivery_id = test_event(database, hook)
        schedule.PAUSES = (0.3,) * 9
        start()
        until(lambda: read(database, hook).failing_since is not None)
        with receiving(port) as back:
            until(reaches(database, delivery_id, "delivered"))
            assert len(back.got) == 1

    def test_a_private_address_gets_nothing(self, worker_settings, database: Database, hook: Webhook, receiver: Receiver, start):
        worker_settings.__dict__.pop("private_networks", None)
        worker_settings.webhook_private_networks = "10.0.0.0/8"
        delivery_id = test_event(database, hook)
        start()
        until(reaches(database, delivery_id, "failed"))
        with database.read() as session:
            assert "not public" in (deliveries.attempts(session, delivery_id)[0].error or "")
        assert receiver.got == []

    def test_without_the_key_nothing_is_sent(
        self, worker_settings, database: Database, hook: Webhook, receiver: Receiver, start, caplog
    ):
        (worker_settings.data_dir / "webhook-key").write_text("f" * 64)
        test_event(database, hook)
        start()
        until(lambda: hook.id in caplog.text)
        assert "PRETEXT_WEBHOOK_KEY" in caplog.text
        assert receiver.got == []


_SENDER = """
import sys
from records.database import Database
from records.settings import Settings
from worker.webhooks import sender
sender._NOTE_SECONDS = 0.5
settings = Settings.model_validate_json(sys.stdin.read())
one = sender.Sender(settings, Database(settings.database))
one.start()
one._loop.join()
"""


class TestDeath:
    def test_between_sending_and_noting_is_made_up_for(
        self, worker_settings, database: Database, hook: Webhook, receiver: Receiver, start
    ):
        """A worker is killed while the receiver has the event and no answer was noted: it comes again, with the same id."""
        delivery_id = test_event(database, hook)
        told = worker_settings.model_copy(update={"webhook_seconds": 0.5})
        process = subprocess.Popen([sys.executable, "-c", _SENDER], stdin=subprocess.PIPE, text=True)

        def kill(handler) -> None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

        receiver.answers = [kill, 204]
        assert process.stdin is not None
        process.stdin.write(told.model_dump_json())
        process.stdin.close()
        receiver.wait(1, 30)
        until(lambda: process.poll() is not None)
        assert process.returncode == -signal.SIGKILL
        with database.read() as session:
            assert session.scalars(select(WebhookDelivery.state)).all() == ["sending"]
            assert deliveries.attempts(session, delivery_id) == []
        start()
        until(reaches(database, delivery_id, "delivered"))
        assert (len(receiver.got), len(set(receiver.ids))) == (2, 1)
        with database.read() as session:
            assert [one.number for one in deliveries.attempts(session, delivery_id)] == [2]

    def test_of_the_loop_hands_nothing_twice(self, worker_settings, database: Database, hook: Webhook, receiver: Receiver, start):
        """Several workers share what is due."""
        sent = [test_event(database, hook) for _ in range(12)]
        for _ in range(3):
            start()
        for delivery_id in sent:
            until(reaches(database, delivery_id, "delivered"))
        assert (len(receiver.got), len(set(receiver.ids))) == (12, 12)

    def test_closing_does_not_wait_for_a_slow_receiver(self, database: Database, hook: Webhook, receiver: Receiver, start):
        go_on = threading.Event()
        receiver.answers = [lambda _handler: go_on.wait(10)]
        test_event(database, hook)
        sender = start()
        receiver.wait(1)
        began = time.monotonic()
        sender.close()
        assert time.monotonic() - began < 4
        go_on.set()
        until(lambda: not sender.under_way)


class TestSchedule:
    def test_is_of_three_days_and_ends(self):
        found = [schedule.pause(tries, None) for tries in range(1, 11)]
        assert found[-1] is None
        for told, seconds in zip(found, schedule.PAUSES, strict=False):
            assert told is not None
            assert seconds <= told.total_seconds() <= seconds * 1.2
        assert 3 * 86400 < sum(schedule.PAUSES) < 3.2 * 86400
        assert len({schedule.pause(5, None) for _ in range(9)}) > 1

    @pytest.mark.parametrize(
        ("told", "seconds"),
        [(None, 0), ("", 0), ("120", 120), (" 7 ", 7), ("-3", 0), ("soon", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("1e9", 0)],
    )
    def test_reads_what_receivers_ask_for(self, told: str | None, seconds: float):
        assert schedule.asked_seconds(told) == seconds

    def test_reads_dates(self):
        later = datetime.now(UTC) + timedelta(minutes=10)
        assert 590 < schedule.asked_seconds(later.strftime("%a, %d %b %Y %H:%M:%S GMT")) < 601

    def test_waits_no_longer_than_a_day(self):
        assert schedule.pause(1, "999999999") == timedelta(days=1)
