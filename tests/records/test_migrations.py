from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from records.database import Database
from records.migrate import migrate
from records.models import Base
from records.queries import events, models
from tests.conftest import empty_database

_NOW = "2026-11-02 10:00:00+00:00"
_JOB = {"id": "job_1", "kind": "pretrain", "state": "running", "attempt": 1, "failures": 0, "priority": 0, "device": "cpu"}
_OLD_ROWS: dict[str, list[dict]] = {
    "jobs": [{**_JOB, "spec": "{}", "checkpoints": "[]", "last_event": 1, "created_at": _NOW, "metadata": "{}"}],
    "job_events": [{"job_id": "job_1", "seq": 1, "at": _NOW, "attempt": 1, "type": "log", "data": "{}"}],
    "models": [
        {
            "id": "model_1",
            "name": "tiny",
            "job_id": "job_1",
            "task": "rotation",
            "encoder": "{}",
            "features": 1,
            "image_size": 32,
            "metrics": "{}",
            "created_at": _NOW,
            "metadata": "{}",
        }
    ],
    "model_files": [{"model_id": "model_1", "name": name, "key": name, "bytes": 1, "sha256": "0"} for name in "ab"],
}
"""As version 0001 wrote them."""


@pytest.fixture(params=["sqlite", "postgresql"])
def unmigrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new.db"
    return empty_database(request.getfixturevalue("postgres"))


class TestMigrations:
    def test_give_the_tables_of_the_models(self, database: Database):
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []

    def test_keep_what_is_there(self, unmigrated_url: str):
        migrate(unmigrated_url, "0001")
        database = Database(unmigrated_url)
        with database.write() as session:
            for table, rows in _OLD_ROWS.items():
                for row in rows:
                    names = ", ".join(f'"{name}"' for name in row)
                    values = ", ".join(f":{name}" for name in row)
                    session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
        migrate(unmigrated_url)
        with database.read() as session:
            model = models.get(session, "model_1")
            assert (model.job_id, [file.name for file in model.files]) == ("job_1", ["a", "b"])
            assert [event.seq for event in events.page(session, "job_1", after=0, limit=9)[0]] == [1]
        database.engine.dispose()

    def test_can_be_run_again(self, database_url: str):
        migrate(database_url)
