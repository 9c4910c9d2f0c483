"""Figures as JSON text, on both databases."""

import json
from datetime import UTC, datetime

import pytest

from api.jobs.schemas import MetricOut
from records.database import Database
from records.queries import events, figures
from tests import factories

_TIMES = (0.0, 1_700_000_000.0, 1_700_000_000.000001, 1_700_000_001.25)
_VALUES = (
    {"loss": 1.5, "accuracy": 0.25, "images_per_second": 1234.5678901},
    {"loss": 1e-12, "quotes \" and 'n' {s} %s": 2},
    {"loss": float("nan"), "rankme": float("inf"), "alpha": None},
    {},
)


@pytest.fixture
def job_id(database: Database) -> str:
    """A job with figures, beside another one."""
    found = [
        {"time": time, "step": step, "epoch": 1 + step // 2, "values": values}
        for step, (time, values) in enumerate(zip(_TIMES, _VALUES, strict=True), start=1)
    ]
    with database.write() as session:
        other, job = factories.job(session).id, factories.job(session).id
        events.put_metrics(session, job, 1, found)
        events.put_metrics(session, other, 1, found[:1])
    return job


class TestPage:
    def test_is_what_the_records_say(self, database: Database, job_id: str):
        with database.read() as session:
            texts, more = figures.page(session, job_id, after=0, limit=10)
            records, _ = events.metrics(session, job_id, after=0, limit=10)
        assert (len(texts), more) == (4, False)
        assert [MetricOut.model_validate_json(text) for text in texts] == [MetricOut.of(record) for record in records]
        assert [json.loads(text)["object"] for text in texts] == ["job.metric"] * 4

    def test_what_is_no_number_is_null_and_moments_are_in_utc(self, database: Database, job_id: str):
        with database.read() as session:
            texts, _ = figures.page(session, job_id, after=2, limit=1)
        found = json.loads(texts[0])
        assert found["values"] == {"loss": None, "rankme": None, "alpha": None}
        assert datetime.fromisoformat(found["at"]) == datetime.fromtimestamp(_TIMES[2], UTC)

    def test_goes_on_behind_a_step(self, database: Database, job_id: str):
        with database.read() as session:
            first, more = figures.page(session, job_id, after=0, limit=3)
            rest, end = figures.page(session, job_id, after=3, limit=3)
        assert ([json.loads(text)["step"] for text in first + rest], more, end) == ([1, 2, 3, 4], True, False)
