"""Jobs that are retried, what they leave behind, and several at once on one device."""

import os
import signal
import time

import pytest
from sqlalchemy import text

from api.jobs.retries import RetryRequest, retry
from records.blobs import LocalBlobs
from records.database import Database
from records.models import Measurement
from records.queries import events, jobs, logs
from records.settings import Settings
from records.states import JobState
from ssl_core.spec import costs
from tests.worker.test_engine import child_pids, until, weights_of
from worker.engine import Engine


@pytest.fixture
def worker_settings(worker_settings: Settings) -> Settings:
    """A job fails with its first crash."""
    return worker_settings.model_copy(update={"max_failures": 1, "workers": 3, "worker_memory_bytes": 1_000_000_000})


class TestRetry:
    def test_of_a_crash_goes_on_and_ends_with_the_same_bytes(
        self, engine: Engine, database: Database, blobs: LocalBlobs, ingested: str, pretrain, read_job, in_background
    ):
        undisturbed = pretrain(ingested, steps=40)
        engine.work(undisturbed)  # and whatever else waits
        job_id = pretrain(ingested, steps=40)
        with database.write() as session:
            jobs.cancel(session, job_id)
        with database.write() as session:  # also a cancelled one is retried
            job_id = retry(session, blobs, job_id, RetryRequest(), None)[0].id
        in_background(engine.work, job_id)
        until(lambda: len(read_job(job_id).checkpoints) > 0)
        for pid in child_pids(job_id):
            os.kill(pid, signal.SIGKILL)
        until(lambda: read_job(job_id).state == JobState.FAILED)
        with database.write() as session:
            again = retry(session, blobs, job_id, RetryRequest(), None)[0]
            taken = [one["key"] for one in again.checkpoints]
        assert (taken[0].startswith(f"jobs/{job_id}/checkpoints/"), read_job(job_id).checkpoints) == (True, [])
        engine.work(again.id)
        done = read_job(again.id)
        assert (done.state, done.attempt) == (JobState.SUCCEEDED, 1)
        assert weights_of(database, blobs, done) == weights_of(database, blobs, read_job(undisturbed))
        with database.read() as session:
            told = [event.data.get("message", "") for event in events.page(session, again.id, after=0, limit=500)[0]]
            steps = [one.step for one in events.metrics(session, again.id, after=0, limit=500)[0]]
        assert any("resumed from the checkpoint of step" in message for message in told)
        assert steps == list(range(1, 41))
        for key in taken:  # what was taken over is gone with the rest
            with pytest.raises(FileNotFoundError):
                blobs.path(key)


class TestLeftBehind:
    def test_log_memory_and_speed(self, engine: Engine, database: Database, ingested: str, pretrain, read_job):
        job_id = pretrain(ingested, steps=24)
        engine.work(job_id)
        with database.read() as session:
            log = logs.since(session, job_id, 0).text
            (memory,) = [one.data for one in events.page(session, job_id, after=0, limit=99)[0] if one.type == "memory"]
            (measured,) = session.query(Measurement).all()
        assert "--- attempt 1 begins" in log
        assert log.endswith("--- attempt 1: ended well ---\n")
        assert (memory["device"], memory["dataset_bytes"]) == ("cpu", 64 * 32 * 32 * 3)
        assert 100e6 < memory["peak_bytes"] < 3e9
        assert (measured.encoder, measured.batch_size, measured.trainings, measured.samples) == ("tiny", 16, 1, 24 * 16)
        assert measured.memory_bytes == memory["peak_bytes"] - memory["dataset_bytes"]
        assert measured.seconds > 0
        assert "threads" in measured.device_name

    def test_the_log_of_a_crash_has_what_its_process_said(self, engine: Engine, database: Database, ingested: str, pretrain):
        job_id = pretrain(ingested)
        with database.write() as session:
            job = jobs.get(session, job_id)
            job.spec = {
                **job.spec,
                "encoder": {**job.spec["encoder"], "name": "r3d_18"},
            }  # of videos; the API would have refused it
        engine.work(job_id)
        with database.read() as session:
            log = logs.since(session, job_id, 0).text
        assert "Traceback (most recent call last)" in log
        assert "--- attempt 1: ended with status 1 ---" in log

    @pytest.mark.parametrize("trouble", ["no such encoder in the table of costs", "no table of measurements"])
    def test_what_it_has_taken_does_not_keep_a_job_from_its_end(
        self, engine: Engine, database: Database, ingested: str, pretrain, read_job, monkeypatch, trouble: str
    ):
        job_id = pretrain(ingested, steps=24)
        if trouble.startswith("no such encoder"):
            monkeypatch.delitem(costs.ENCODER_COSTS, "tiny/standard")
        else:
            with database.write() as session:
                session.execute(text("DROP TABLE measurements"))
        engine.work(job_id)
        done = read_job(job_id)
        assert (done.state, done.model_id is not None) == (JobState.SUCCEEDED, True)


class TestMemory:
    def test_jobs_run_together_only_where_they_fit(
        self, engine: Engine, database: Database, ingested: str, pretrain, read_job, in_background
    ):
        first, big, small = (pretrain(ingested, steps=100_000) for _ in range(3))
        with database.write() as session:
            for job_id, size in ((first, 600), (big, 700), (small, 300)):
                jobs.get(session, job_id).memory_bytes = size * 1_000_000
        for job_id in (first, big, small):
            in_background(engine.work, job_id)
        until(lambda: {read_job(first).state, read_job(small).state} == {JobState.RUNNING})
        assert (read_job(big).state, read_job(big).passed_over_at is not None) == (JobState.QUEUED, True)
        with database.write() as session:
            jobs.cancel(session, first)
        until(lambda: read_job(first).state == JobState.CANCELLED)
        until(lambda: read_job(big).state == JobState.RUNNING)
        with database.write() as session:
            jobs.cancel(session, big)
            jobs.cancel(session, small)
        until(lambda: {read_job(big).state, read_job(small).state} == {JobState.CANCELLED})
        deadline = time.monotonic() + 5
        while child_pids(big) or child_pids(small):
            assert time.monotonic() < deadline
