from datetime import UTC, datetime

import pytest
from pretext_client import PretextError
from pretext_client.types import Job, Model

from tests.client.faults import JOB


class TestValue:
    def test_ignores_and_keeps_what_it_does_not_know(self):
        job = Job.of({**JOB, "tomorrow": 1, "progress": {"phase": "train", "gradients": 3}})
        assert job.raw["tomorrow"] == 1
        assert job.progress.raw["gradients"] == 3

    def test_reads_times(self):
        assert Job.of(JOB).created_at == datetime(2026, 11, 2, 10, tzinfo=UTC)
        assert Job.of({**JOB, "started_at": "2026-11-02T12:00:00.5+02:00"}).started_at.utcoffset().total_seconds() == 7200

    def test_reads_values_within_values(self):
        files = [{"name": "a", "bytes": 1, "sha256": "00"}]
        model = Model.of({"id": "model_1", "name": "m", "created_at": JOB["created_at"], "files": files})
        assert model.files[0].bytes == 1

    def test_cannot_be_changed(self):
        with pytest.raises(AttributeError):
            Job.of(JOB).state = "succeeded"

    @pytest.mark.parametrize("found", [{}, {"id": "job_1"}, [], "job", None])
    def test_tells_what_is_no_such_value(self, found):
        with pytest.raises(PretextError, match="Pretext Server"):
            Job.of(found)

    @pytest.mark.parametrize(("state", "ended"), [("queued", False), ("cancelling", False), ("failed", True), ("cancelled", True)])
    def test_knows_when_a_job_is_over(self, state, ended):
        assert Job.of({**JOB, "state": state}).ended is ended
