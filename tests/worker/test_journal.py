import pytest

from records.database import Database
from records.queries import events, leases
from records.queries.leases import Lease
from tests import factories
from worker.journal import Journal


class TestFlush:
    @pytest.fixture
    def database_url(self, postgres_url: str) -> str:
        return postgres_url

    def test_an_event_that_the_database_cannot_hold_stops_nothing(self, database: Database):
        with database.write() as session:
            job_id = factories.job(session).id
            leases.claim(session, job_id, "w", 100)
        journal = Journal(database, Lease(job_id, 1))
        journal.add({"type": "log", "level": "info", "message": "PostgreSQL has no \0 in a text"})
        assert journal.flush()
        journal.add({"type": "log", "level": "info", "message": "and on it goes"})
        assert journal.flush()
        with database.read() as session:
            found, _ = events.page(session, job_id, after=0, limit=9)
        messages = [event.data["message"] for event in found if event.type == "log"]
        assert "1 events were lost" in messages[0]
        assert messages[1:] == ["and on it goes"]
