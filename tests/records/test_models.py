import threading

import pytest

from records.database import Database
from records.errors import ConflictError, NotFoundError
from records.queries import jobs, models
from tests import factories


@pytest.fixture
def model_id(database: Database) -> str:
    with database.write() as session:
        return factories.model(session).id


class TestDelete:
    def test_names_the_jobs_that_compare_with_it_now_or_afterwards(self, database: Database):
        with database.write() as session:
            now = factories.job(session, kind="evaluate", spec={"references": ["model_a1", "model_b"]})
            afterwards = factories.job(session, spec={}, evaluate={"references": ["model_a1"]})
            factories.job(session, spec={"references": []}, evaluate=None)
            assert [job.id for job in jobs.active_from(session, "model_a1")] == [now.id, afterwards.id]
            assert [job.id for job in jobs.active_from(session, "model_b")] == [now.id]
            assert jobs.active_from(session, "model_a") == jobs.active_from(session, "modelxb") == []

    def test_names_the_jobs_that_start_from_it(self, database: Database, model_id: str):
        with database.write() as session:
            factories.job(session, spec={"init_from": None})
            factories.job(session, spec={"init_from": "model_other"})
            factories.job(session, kind="ingest", spec={"filename": "a.zip"})
            job_id = factories.job(session, spec={"init_from": model_id}).id
        with database.write() as session, pytest.raises(ConflictError, match=job_id):
            models.delete(session, model_id)
        with database.write() as session:
            jobs.cancel(session, job_id)
        with database.write() as session:
            models.delete(session, model_id)
        with database.read() as session, pytest.raises(NotFoundError):
            models.get(session, model_id)

    def test_waits_for_a_job_that_is_just_being_made(self, database: Database, model_id: str):
        refused: list[ConflictError] = []

        def delete() -> None:
            try:
                with database.write() as session:
                    models.delete(session, model_id)
            except ConflictError as error:
                refused.append(error)

        deleting = threading.Thread(target=delete)
        with database.write() as session:
            models.to_start_from(session, model_id, param="init_from")
            deleting.start()
            deleting.join(0.3)
            assert deleting.is_alive()
            factories.job(session, spec={"init_from": model_id})
        deleting.join(10)
        assert len(refused) == 1
