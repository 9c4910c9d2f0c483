from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Select, insert, select, text
from sqlalchemy.orm import Session, with_loader_criteria

from records.database import Database
from records.ids import at_time
from records.models import Job, Note, Owned
from records.queries import jobs, models, pages, projects
from records.queries.pages import Narrow
from records.tenancy import act_for
from tests import factories

PROJECT = "proj_default"
NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)
COUNT = 3000
KINDS, STATES, TASKS = ("pretrain", "evaluate", "embed"), ("queued", "running", "succeeded", "failed"), ("rotation", "jigsaw", None)


def job_row(number: int) -> dict[str, Any]:
    created = NOW + timedelta(minutes=number)
    return {
        "id": at_time("job", created),
        "kind": KINDS[number % 3],
        "state": STATES[number % 4],
        "task": TASKS[number % 3],
        "attempt": 0,
        "failures": 0,
        "priority": 0,
        "device": "auto",
        "spec": {"epochs": number, "filler": "x" * 300},
        "checkpoints": [],
        "last_event": 0,
        "created_at": created,
        "meta": {"team": f"team {number % 50}"},
        "model_id": f"model_{number % 40}",
        "retry_of": f"job_{number % 60}",
        "project_id": PROJECT if number % 5 else "proj_other",
    }


@pytest.fixture
def many(database: Database) -> Iterator[Session]:
    """A session of one project among many jobs, of which the database knows how many there are of each sort."""
    rows = [job_row(number) for number in range(COUNT)]
    notes = [
        {"record_id": row["id"], "key": key, "value": value, "kind": "jobs", "project_id": row["project_id"]}
        for row in rows
        for key, value in row["meta"].items()
    ]
    with database.write() as session:
        session.execute(insert(Job), rows)
        session.execute(insert(Note), notes)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE"))
    with database.read() as session:
        act_for(session, PROJECT)
        yield session


def plan(session: Session, asked: Select[Any]) -> str:
    """How the database finds what is asked for, with the project's condition that a guarded session adds."""
    of_project = with_loader_criteria(Owned, lambda record: record.project_id == PROJECT, include_aliases=True)
    connection = session.connection()
    statement = asked.options(of_project).compile(connection, compile_kwargs={"literal_binds": True})
    word = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{word} {statement}"))


FILTERS: list[tuple[str, dict[str, Any], Narrow]] = [
    ("ix_jobs_project_id_id", {}, Narrow()),
    ("ix_jobs_project_id_state", {"state": "running"}, Narrow()),
    ("ix_jobs_project_id_kind", {"kind": "evaluate"}, Narrow()),
    ("ix_jobs_project_id_task", {"task": "jigsaw"}, Narrow()),
    ("ix_jobs_model_id", {"model_id": "model_3"}, Narrow()),
    ("ix_jobs_retry_of", {"retry_of": "job_8"}, Narrow()),
    ("ix_notes_project_id", {}, Narrow(metadata={"team": "team 4"})),
    ("ix_jobs_project_id_id", {}, Narrow(created_after=NOW + timedelta(days=1))),
    ("ix_jobs_project_id_id", {}, Narrow(created_before=NOW + timedelta(days=2))),
]


class TestPlans:
    def test_a_page_is_a_range_of_an_index(self, many: Session):
        for index, equal, narrow in FILTERS:
            columns = [(getattr(Job, name), value) for name, value in equal.items()]
            for order, minutes in (("desc", COUNT - 100), ("asc", 100)):
                last, narrowed = at_time("job", NOW + timedelta(minutes=minutes)), replace(narrow, order=order)
                told = plan(many, pages.statement(select(Job), Job, 20, last, narrowed, columns))
                assert f"COVERING INDEX {index}" in told or ("Index Only Scan" in told and index in told), told
                assert "SCAN jobs" not in told, told
                assert "Seq Scan" not in told, told

    def test_filters_find_the_right_ones_page_by_page(self, many: Session):
        for _, equal, narrow in FILTERS:
            rows = [row for row in map(job_row, range(COUNT)) if row["project_id"] == PROJECT and fits(row, equal, narrow)]
            expected = sorted((row["id"] for row in rows), reverse=True)
            seen, after, more = [], None, True
            while more and len(seen) < 250:
                page, more = jobs.page(many, limit=100, after=after, narrow=narrow, **equal)
                seen += [job.id for job in page]
                after = seen[-1]
            assert seen == expected[: len(seen)], (equal, narrow)
            assert len(seen) >= min(250, len(expected))
            oldest, _ = jobs.page(many, limit=3, after=None, narrow=replace(narrow, order="asc"), **equal)
            assert [job.id for job in oldest] == expected[::-1][:3]
        both = Narrow(metadata={"team": "team 4"}, created_after=NOW + timedelta(hours=5))
        found, _ = jobs.page(many, limit=100, after=None, state="succeeded", narrow=both)
        rows = [row for row in map(job_row, range(COUNT)) if row["project_id"] == PROJECT]
        assert [one.id for one in found] == [row["id"] for row in rows if fits(row, {"state": "succeeded"}, both)][::-1][:100]
        assert found
        assert jobs.page(many, limit=9, after=None, narrow=Narrow(metadata={"team": "team 4", "x": "y"})) == ([], False)


def fits(row: dict[str, Any], equal: dict[str, Any], narrow: Narrow) -> bool:
    return (
        all(row[name] == value for name, value in equal.items())
        and all(row["meta"].get(name) == value for name, value in narrow.metadata.items())
        and (narrow.created_after is None or row["created_at"] > narrow.created_after)
        and (narrow.created_before is None or row["created_at"] < narrow.created_before)
    )


class TestNotes:
    def test_follow_what_is_made_changed_and_deleted(self, database: Database):
        def entries() -> set[tuple[str, str, str]]:
            with database.read() as session:
                return {(note.kind, note.key, note.value) for note in session.scalars(select(Note))}

        with database.write() as session:
            project_id = projects.create(session, "other", metadata={"a": "project"}).id
            act_for(session, project_id)
            model_id = factories.model(session, meta={"a": "1", "b": "2"}).id
            factories.dataset(session, meta={"c": "3"})
        assert entries() == {("projects", "a", "project"), ("models", "a", "1"), ("models", "b", "2"), ("datasets", "c", "3")}
        with database.write() as session:
            models.get(session, model_id).meta = {"a": "4"}
        assert entries() == {("projects", "a", "project"), ("models", "a", "4"), ("datasets", "c", "3")}
        with database.write() as session:
            models.delete(session, model_id)
        assert entries() == {("projects", "a", "project"), ("datasets", "c", "3")}
        with database.write() as session:
            projects.delete(session, project_id)
        assert entries() == set()
