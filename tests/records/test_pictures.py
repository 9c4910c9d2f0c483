import pytest

from records.database import Database
from records.errors import NotFoundError
from records.models import JobEvent
from records.queries import pictures
from records.queries.pictures import Drawn
from tests import factories


def drawn(epoch: int, key: str) -> Drawn:
    return Drawn(epoch=epoch, step=epoch * 10, key=key, bytes=1, sha256="0" * 64, width=2, height=1, caption="two dots")


@pytest.fixture
def job_id(database: Database) -> str:
    with database.write() as session:
        return factories.job(session).id


class TestPut:
    def test_stores_and_tells_the_watchers(self, database: Database, job_id: str):
        with database.write() as session:
            assert pictures.put(session, job_id, 1, [drawn(0, "a"), drawn(1, "b")]) == []
        with database.read() as session:
            found, more = pictures.page(session, job_id, after=-1, limit=10)
            assert ([(one.epoch, one.step, one.key, one.attempt) for one in found], more) == (
                [(0, 0, "a", 1), (1, 10, "b", 1)],
                False,
            )
            told = session.query(JobEvent).filter_by(job_id=job_id, type="picture").order_by(JobEvent.seq)
            assert [event.data for event in told] == [{"epoch": 0, "step": 0}, {"epoch": 1, "step": 10}]

    def test_a_later_attempt_replaces(self, database: Database, job_id: str):
        with database.write() as session:
            pictures.put(session, job_id, 1, [drawn(0, "a"), drawn(1, "b")])
        with database.write() as session:
            assert pictures.put(session, job_id, 2, [drawn(1, "c")]) == ["b"]
        with database.read() as session:
            assert [(one.key, one.attempt) for one in pictures.page(session, job_id, after=-1, limit=10)[0]] == [("a", 1), ("c", 2)]
            assert pictures.keys(session, job_id) == {"a", "c"}

    def test_said_twice_it_is_done_once(self, database: Database, job_id: str):
        for _ in range(2):
            with database.write() as session:
                assert pictures.put(session, job_id, 1, [drawn(0, "a")]) == []
        with database.read() as session:
            assert session.query(JobEvent).filter_by(job_id=job_id, type="picture").count() == 1

    def test_of_two_of_one_epoch_the_later_stays(self, database: Database, job_id: str):
        with database.write() as session:
            assert pictures.put(session, job_id, 1, [drawn(0, "a"), drawn(0, "b"), drawn(0, "c")]) == ["a", "b"]
        with database.read() as session:
            assert pictures.keys(session, job_id) == {"c"}


class TestFind:
    def test_pages_go_by_epoch(self, database: Database, job_id: str):
        with database.write() as session:
            pictures.put(session, job_id, 1, [drawn(epoch, str(epoch)) for epoch in (3, 1, 0)])
        with database.read() as session:
            found, more = pictures.page(session, job_id, after=0, limit=1)
            assert ([one.epoch for one in found], more) == ([1], True)
            assert pictures.newest(session, job_id).epoch == 3

    def test_what_is_missing_is_told_beside_what_is_there(self, database: Database, job_id: str):
        with database.write() as session:
            with pytest.raises(NotFoundError, match="none yet"):
                pictures.get(session, job_id, 7)
            with pytest.raises(NotFoundError, match="no picture yet"):
                pictures.newest(session, job_id)
            pictures.put(session, job_id, 1, [drawn(0, "a"), drawn(4, "b")])
            with pytest.raises(NotFoundError, match="of the epochs 0 to 4"):
                pictures.get(session, job_id, 7)
            with pytest.raises(NotFoundError, match="there is no job"):
                pictures.get(session, "job_nowhere", 0)
