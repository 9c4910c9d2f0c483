import os
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from records.blobs import LocalBlobs
from records.database import Database
from records.models import Embedding
from records.queries import embeddings, events, jobs
from records.states import JobState
from tests.worker.test_engine import child_pids, until
from worker.attempt import Attempt
from worker.engine import Engine


@pytest.fixture
def model_id(engine: Engine, ingested: str, pretrain, read_job) -> str:
    job_id = pretrain(ingested)
    engine.work(job_id)
    return str(read_job(job_id).model_id)


@pytest.fixture
def embed(database: Database, ingested: str, model_id: str):
    def queue(**more: object) -> str:
        with database.write() as session:
            return jobs.create(session, kind="embed", dataset_id=ingested, spec={"model_id": model_id, **more}).id

    return queue


def embedding_of(database: Database, embedding_id: str | None) -> Embedding:
    assert embedding_id is not None
    with database.read() as session:
        return embeddings.get(session, embedding_id)


class TestEmbed:
    def test_publishes_files(self, engine: Engine, database: Database, blobs: LocalBlobs, embed, ingested, model_id, read_job):
        job_id = embed(normalize=True)
        engine.work(job_id)
        job = read_job(job_id)
        assert job.state == JobState.SUCCEEDED, job.error
        assert (job.spec["device"], job.environment["device"], job.checkpoints) == ("cpu", "cpu", [])
        found = embedding_of(database, job.embedding_id)
        assert (found.job_id, found.model_id, found.dataset_id) == (job_id, model_id, ingested)
        assert (found.rows, found.features, found.normalized, found.stage, found.left_out) == (64, 128, True, None, 0)
        (file,) = found.files
        assert file["name"] == "embeddings-00000.parquet"
        assert pq.read_metadata(blobs.path(file["key"])).num_rows == 64
        with database.read() as session:
            ended = events.page(session, job_id, after=0, limit=500)[0][-1]
        assert ended.data["embedding_id"] == found.id

    def test_a_killed_process_goes_on_and_makes_the_same_bytes(
        self, engine: Engine, database: Database, embed, read_job, in_background
    ):
        undisturbed = embed(batch_size=1)
        engine.work(undisturbed)
        job_id = embed(batch_size=1)
        taken = []
        original = Attempt._take_checkpoint

        def kill_at_the_first(attempt: Attempt, event: dict) -> None:
            original(attempt, event)
            if not taken:
                taken.append(event["step"])
                for pid in child_pids(job_id):
                    os.kill(pid, signal.SIGKILL)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Attempt, "_take_checkpoint", kill_at_the_first)
            in_background(engine.work, job_id)
            until(lambda: read_job(job_id).state == JobState.SUCCEEDED)
        assert read_job(job_id).attempt == 2
        first, second = (embedding_of(database, read_job(one).embedding_id) for one in (undisturbed, job_id))
        assert [file["sha256"] for file in first.files] == [file["sha256"] for file in second.files]

    def test_parts_that_are_kept_stay_while_newer_checkpoints_come(self, engine: Engine, database: Database, embed, tmp_path: Path):
        job_id = embed()
        attempt = engine._claim(job_id)
        assert attempt is not None
        path = tmp_path / "part"
        path.write_bytes(b"rows")
        for step in range(1, 7):
            keep = {"keep": True} if step in {2, 3} else {}
            attempt._take_checkpoint({"step": step, "path": str(path), **keep})
            if step not in {2, 5}:
                assert attempt._keep_checkpoints()
        with database.read() as session:
            kept = jobs.get(session, job_id).checkpoints
        assert [(one["step"], one.get("keep", False)) for one in kept] == [(2, True), (3, True), (4, False), (6, False)]
        assert all(engine._blobs.path(one["key"]).is_file() for one in kept)

    def test_what_cannot_be_done_fails_with_its_reason(self, engine: Engine, embed, read_job):
        job_id = embed(stage="layer9")
        engine.work(job_id)
        job = read_job(job_id)
        assert (job.state, job.error["code"], job.embedding_id) == (JobState.FAILED, "unknown_stage", None)
        assert "stage4" in job.error["message"]

    def test_a_model_that_is_gone_fails_it_at_once(self, engine: Engine, embed, read_job):
        job_id = embed(model_id="model_x")
        engine.work(job_id)
        assert (read_job(job_id).state, read_job(job_id).error["code"]) == (JobState.FAILED, "not_found")
