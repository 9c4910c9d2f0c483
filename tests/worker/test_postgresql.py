import pytest

from records.database import Database
from records.models import Model
from records.states import JobState
from worker.engine import Engine


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


class TestOnPostgresql:
    def test_a_dataset_is_ingested_and_a_model_is_made(self, engine: Engine, database: Database, ingested: str, pretrain, read_job):
        job_id = pretrain(ingested)
        engine.work(job_id)
        assert read_job(job_id).state == JobState.SUCCEEDED
        with database.read() as session:
            assert session.query(Model).filter_by(job_id=job_id).count() == 1
