import os
import signal
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from records.blobs import LocalBlobs
from records.database import Database
from records.models import Job, Model, Upload
from records.queries import datasets, events, jobs, leases, models, projects, uploads
from records.settings import Settings
from records.states import JobState
from tests import factories
from tests.factories import zip_of
from tests.videos import moving, video
from worker.engine import Engine


def until(condition: Callable[[], object], seconds: float = 25) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def weights_of(database: Database, blobs: LocalBlobs, job: Job) -> str:
    assert job.model_id is not None
    with database.read() as session:
        file = models.file(session, job.model_id, "encoder.safetensors")
    content = blobs.path(file.key).read_bytes()
    assert sha256(content).hexdigest() == file.sha256
    return file.sha256


def child_pids(job_id: str) -> list[int]:
    """Processes that work on a job, by their command lines."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"ssl_core" in command and job_id.encode() in command:
            found.append(int(folder.name))
    return found


class TestIngest:
    def test_makes_a_dataset_ready(self, engine: Engine, database: Database, blobs: LocalBlobs, upload, shapes_zip, read_job):
        dataset_id, job_id = upload(shapes_zip)
        engine.work(job_id)
        assert read_job(job_id).state == JobState.SUCCEEDED
        with database.read() as session:
            dataset = datasets.ready(session, dataset_id)
        assert (dataset.images, dataset.refused, dataset.median_side, dataset.labels) == (64, 0, 32, None)
        assert dataset.upload_key is None
        assert sum(shard["rows"] for shard in dataset.shards or []) == 64
        assert all(blobs.path(shard["key"]).stat().st_size == shard["bytes"] for shard in dataset.shards or [])

    def test_makes_a_dataset_of_videos(self, engine: Engine, database: Database, upload, tmp_path: Path, read_job):
        dataset_id, job_id = upload(zip_of(tmp_path / "clips.zip", {"a.mp4": video(), "b.mp4": video(moving(30))}))
        engine.work(job_id)
        assert read_job(job_id).state == JobState.SUCCEEDED
        with database.read() as session:
            dataset = datasets.ready(session, dataset_id)
        assert (dataset.kind, dataset.images, dataset.median_side) == ("video", 2, 48)
        assert dataset.report["frames"]["total"] == 50

    def test_an_upload_that_is_no_archive_fails_with_its_reason(
        self, engine: Engine, database: Database, upload, tmp_path: Path, read_job
    ):
        path = tmp_path / "notes.zip"
        path.write_text("no pictures here\n" * 100)
        dataset_id, job_id = upload(path)
        engine.work(job_id)
        job = read_job(job_id)
        assert (job.state, job.error["code"]) == (JobState.FAILED, "not_an_archive")
        with database.read() as session:
            dataset = datasets.get(session, dataset_id)
            assert (dataset.state, dataset.error) == ("failed", job.error)

    def test_a_set_without_a_usable_image_fails_and_keeps_its_report(
        self, engine: Engine, database: Database, upload, tmp_path: Path, read_job
    ):
        path = factories.zip_of(tmp_path / "bad.zip", {f"{number}.jpg": b"broken" for number in range(3)})
        dataset_id, job_id = upload(path)
        engine.work(job_id)
        assert read_job(job_id).error["code"] == "no_usable_image"
        with database.read() as session:
            dataset = datasets.reported(session, dataset_id)
            assert (dataset.state, dataset.refused) == ("failed", 3)


class TestPretrain:
    def test_makes_one_model(self, engine: Engine, database: Database, blobs: LocalBlobs, ingested: str, pretrain, read_job):
        job_id = pretrain(ingested)
        engine.work(job_id)
        job = read_job(job_id)
        assert (job.state, job.error, job.attempt) == (JobState.SUCCEEDED, None, 1)
        assert (job.spec["device"], job.spec["precision"]) == ("cpu", "fp32")
        assert job.progress["step"] == 6
        assert job.environment["device"] == "cpu"
        assert weights_of(database, blobs, job)
        with database.read() as session:
            model = models.get(session, job.model_id)
            assert {file.name for file in model.files} == {
                "README.md",
                "SHA256SUMS",
                "config.json",
                "curves.png",
                "encoder.safetensors",
            }
            figures, _ = events.metrics(session, job_id, after=0, limit=100)
            assert figures[-1].step == 6
            assert figures[-1].values["loss"] > 0

    def test_a_deleted_blob_fails_the_job_and_says_so(
        self, engine: Engine, database: Database, blobs: LocalBlobs, ingested: str, pretrain, read_job
    ):
        job_id = pretrain(ingested)
        blobs.delete(f"datasets/{ingested}")
        engine.work(job_id)
        job = read_job(job_id)
        assert job.state == JobState.FAILED
        assert "gone from the store" in job.error["message"]

    def test_a_diverged_training_fails_with_advice(self, engine: Engine, ingested: str, pretrain, read_job):
        job_id = pretrain(
            ingested, steps=40, optimizer={"learning_rate": 100, "warmup": 0, "schedule": "constant", "weight_decay": 1}
        )
        engine.work(job_id)
        job = read_job(job_id)
        assert (job.state, job.error["code"]) == (JobState.FAILED, "diverged")
        assert "learning_rate" in job.error["message"]

    def test_after_a_job_the_next_best_is_run(self, engine: Engine, ingested: str, pretrain, database: Database, read_job):
        first, second = pretrain(ingested, steps=1), pretrain(ingested, steps=1)
        with database.write() as session:
            jobs.get(session, second).priority = 5
        engine.work(first)
        assert read_job(first).state == read_job(second).state == JobState.SUCCEEDED
        assert read_job(second).started_at < read_job(first).started_at


class TestWarmStart:
    @pytest.fixture
    def started(self, engine: Engine, ingested: str, pretrain, read_job) -> Callable[..., str]:
        """Queues a job that starts from a model that another has made."""
        first = pretrain(ingested)
        engine.work(first)
        model_id = read_job(first).model_id
        return lambda **more: pretrain(ingested, init_from=model_id, **more)

    def test_killed_and_resumed_it_ends_with_the_same_bytes(
        self, engine: Engine, database: Database, blobs: LocalBlobs, ingested: str, started, pretrain, read_job, in_background
    ):
        undisturbed, cold = started(steps=40), pretrain(ingested, steps=40)
        engine.work(undisturbed)
        job_id = started(steps=40)
        in_background(engine.work, job_id)
        until(lambda: len(read_job(job_id).checkpoints) > 0)
        for pid in child_pids(job_id):
            os.kill(pid, signal.SIGKILL)
        until(lambda: read_job(job_id).state == JobState.SUCCEEDED)
        assert read_job(job_id).attempt == 2
        warm = weights_of(database, blobs, read_job(undisturbed))
        assert weights_of(database, blobs, read_job(job_id)) == warm
        assert weights_of(database, blobs, read_job(cold)) != warm
        with database.read() as session:
            told = [event.data.get("message", "") for event in events.page(session, job_id, after=0, limit=500)[0]]
        assert sum("begins with the weights of encoder.safetensors" in message for message in told) == 2

    def test_weights_that_do_not_fit_fail_the_job_and_are_named(
        self, engine: Engine, database: Database, blobs: LocalBlobs, ingested: str, started, read_job, tmp_path: Path
    ):
        job_id = started()
        save_file({"fc.weight": torch.zeros(1), "stage1.0.weight": torch.zeros(1)}, tmp_path / "other")
        with database.read() as session:
            blobs.put(models.file(session, read_job(job_id).spec["init_from"], models.WEIGHTS).key, tmp_path / "other")
        engine.work(job_id)
        job = read_job(job_id)
        assert (job.state, job.error["code"]) == (JobState.FAILED, "weights_do_not_fit")
        assert "stage1.0.weight 1 instead of 32x3x3x3" in job.error["message"]

    def test_a_model_that_is_gone_fails_the_job_and_says_so(self, engine: Engine, ingested: str, pretrain, read_job):
        job_id = pretrain(ingested, init_from="model_gone")
        engine.work(job_id)
        job = read_job(job_id)
        assert (job.state, job.error["code"]) == (JobState.FAILED, "not_found")
        assert "model_gone" in job.error["message"]


class TestCancel:
    def test_stops_a_running_job_and_its_process(
        self, engine: Engine, database: Database, blobs: LocalBlobs, ingested: str, pretrain, read_job, in_background
    ):
        job_id = pretrain(ingested, steps=100_000)
        in_background(engine.work, job_id)
        until(lambda: (read_job(job_id).progress or {}).get("step", 0) > 2)
        with database.write() as session:
            jobs.cancel(session, job_id)
        until(lambda: read_job(job_id).state == JobState.CANCELLED)
        assert child_pids(job_id) == []
        with database.read() as session:
            assert session.query(Model).count() == 0


class TestPause:
    def test_it_goes_on_where_it_was_and_ends_with_the_same_bytes(
        self, engine: Engine, database: Database, blobs: LocalBlobs, ingested: str, pretrain, read_job, in_background
    ):
        undisturbed = pretrain(ingested, steps=40)
        engine.work(undisturbed)
        job_id = pretrain(ingested, steps=40)
        in_background(engine.work, job_id)
        until(lambda: (read_job(job_id).progress or {}).get("step", 0) > 2)
        with database.write() as session:
            jobs.pause(session, job_id)
        until(lambda: read_job(job_id).state == JobState.PAUSED)
        assert child_pids(job_id) == []
        assert 0 < read_job(job_id).checkpoints[-1]["step"] < 40
        with database.write() as session:
            jobs.resume(session, job_id)
        engine.work(job_id)  # does nothing if the thread that has just let go of it was quicker
        until(lambda: read_job(job_id).finished_at is not None)
        assert (read_job(job_id).state, read_job(job_id).failures) == (JobState.SUCCEEDED, 0)
        assert weights_of(database, blobs, read_job(job_id)) == weights_of(database, blobs, read_job(undisturbed))


class TestProjects:
    def test_what_a_job_makes_is_its_project_s(self, engine: Engine, database: Database, ingested: str, pretrain, read_job):
        job_id = pretrain(ingested)
        with database.write() as session:
            project = projects.create(session, "lab").id
            jobs.get(session, job_id).project_id = datasets.get(session, ingested).project_id = project
        engine.work(job_id)
        with database.read() as session:
            assert models.get(session, read_job(job_id).model_id).project_id == project
            (day,) = projects.usage(session, project, days=1)
            assert (day.device, day.jobs, day.seconds > 0) == ("cpu", 1, True)


class TestNothingIsLost:
    def test_a_killed_process_goes_on_and_ends_with_the_same_bytes(
        self, engine: Engine, database: Database, blobs: LocalBlobs, ingested: str, pretrain, read_job, in_background
    ):
        steps = 40
        undisturbed = pretrain(ingested, steps=steps)
        engine.work(undisturbed)
        job_id = pretrain(ingested, steps=steps)
        in_background(engine.work, job_id)
        until(lambda: len(read_job(job_id).checkpoints) > 0)
        for pid in child_pids(job_id):
            os.kill(pid, signal.SIGKILL)
        until(lambda: read_job(job_id).state == JobState.SUCCEEDED)
        job = read_job(job_id)
        assert job.attempt == 2
        assert weights_of(database, blobs, job) == weights_of(database, blobs, read_job(undisturbed))
        with database.read() as session:
            found, _ = events.page(session, job_id, after=0, limit=500)
            figures, _ = events.metrics(session, job_id, after=0, limit=500)
        assert [event.seq for event in found] == list(range(1, len(found) + 1))
        assert any("SIGKILL" in str(event.data.get("reason")) for event in found)
        assert len({figure.step for figure in figures}) == len(figures)

    def test_a_worker_that_stops_hands_its_job_to_the_next(
        self, make_engine, database: Database, ingested: str, pretrain, read_job, in_background
    ):
        first, second = make_engine(), make_engine()
        job_id = pretrain(ingested, steps=60)
        running = in_background(first.work, job_id)
        until(lambda: (read_job(job_id).progress or {}).get("step", 0) > 2)
        first.stop()
        running.join(15)
        handed_back = read_job(job_id)
        assert (handed_back.state, len(handed_back.checkpoints)) == (JobState.QUEUED, pytest.approx(1, abs=1))
        assert handed_back.checkpoints
        second.work(job_id)
        job = read_job(job_id)
        assert (job.state, job.attempt, job.failures) == (JobState.SUCCEEDED, 2, 0)

    def test_a_worker_that_lost_its_job_leaves_the_other_attempt_alone(
        self, engine: Engine, database: Database, ingested: str, pretrain, read_job, in_background
    ):
        job_id = pretrain(ingested, steps=100_000)
        losing = in_background(engine.work, job_id)
        until(lambda: (read_job(job_id).progress or {}).get("step", 0) > 2)
        with database.write() as session:
            job = jobs.get(session, job_id)
            job.state = JobState.QUEUED
            session.flush()
            leases.claim(session, job_id, "another", 100)
        losing.join(15)
        job = read_job(job_id)
        assert (job.state, job.attempt, job.worker_id) == (JobState.RUNNING, 2, "another")
        assert child_pids(job_id) == []

    def test_the_reaper_finds_what_no_message_told_of(
        self,
        make_engine,
        worker_settings: Settings,
        database: Database,
        blobs: LocalBlobs,
        upload,
        shapes_zip,
        read_job,
        in_background,
    ):
        told: list[str] = []
        engine = Engine(worker_settings, database, blobs, lambda job_id, _device: told.append(job_id), "cpu")
        _, job_id = upload(shapes_zip)
        engine.start()
        until(lambda: job_id in told)
        engine.close()


class TestSweep:
    def test_uploads_that_nobody_finished_are_thrown_away(self, engine: Engine, database: Database, blobs: LocalBlobs):
        with database.write() as session:
            ids = [
                uploads.create(session, filename="a", size=9, meta="", hours=hours, most=9, most_bytes=99).id for hours in (-1, 1)
            ]
        for upload_id in ids:
            with blobs.grow(uploads.key_of(upload_id)) as growing:
                growing.write(b"x")
        engine.start()
        until(lambda: blobs.grown(uploads.key_of(ids[0])) == 0)
        until(lambda: not _is_there(database, ids[0]))
        assert (blobs.grown(uploads.key_of(ids[1])), _is_there(database, ids[1])) == (1, True)


def _is_there(database: Database, upload_id: str) -> bool:
    with database.read() as session:
        return session.get(Upload, upload_id) is not None
