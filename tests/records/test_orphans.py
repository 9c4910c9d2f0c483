import os
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from records.blobs import LocalBlobs
from records.database import Database, now
from records.models import ModelFile
from records.orphans import Orphan, in_store
from records.queries import chores, jobs, projects, retries, uploads
from records.states import JobState
from records.tenancy import act_for
from tests import factories

YOUNG, OLD = 24.0, -1.0
"""How long blobs have to have been there to be freed; that of before the fact makes all old enough."""


def put(blobs: LocalBlobs, key: str, content: bytes = b"bytes") -> str:
    with blobs.writer(key) as writer:
        writer.write(content)
    return key


def found(database: Database, blobs: LocalBlobs, hours: float = OLD) -> dict[str, Orphan]:
    return {orphan.name: orphan for orphan in in_store(database, blobs, hours)}


def free_all(database: Database, blobs: LocalBlobs) -> None:
    for orphan in in_store(database, blobs, OLD):
        orphan.free()


def keys(blobs: LocalBlobs) -> set[str]:
    return {kept.key for kept in blobs.walk()}


@pytest.fixture
def wanted(database: Database, blobs: LocalBlobs) -> set[str]:
    """Blobs that records refer to, of each kind."""
    with database.write() as session:
        dataset = factories.dataset(session)
        folder = f"datasets/{dataset.id}"
        dataset.upload_key, dataset.refused_key = put(blobs, f"{folder}/upload"), put(blobs, f"{folder}/1/refused.jsonl")
        dataset.shards = [{"key": put(blobs, f"{folder}/1/shard-0.parquet"), "rows": 1, "bytes": 5, "sha256": "0"}]
        dataset.label_file = {"key": put(blobs, f"{folder}/labels/a"), "version": "a", "counts": {}, "splits": None}
        dataset.label_files_kept = [put(blobs, f"{folder}/labels/b")]
        job = factories.job(session, dataset_id=dataset.id)
        job.labels = {"key": put(blobs, f"{folder}/labels/c")}
        job.checkpoints = [{"key": put(blobs, f"jobs/{job.id}/checkpoints/1-1"), "step": 1, "attempt": 1}]
        key = put(blobs, f"jobs/{job.id}/pictures/000000-1.png")
        factories.picture(session, job.id, key=key)
        model = factories.model(session, files=[])
        model.files = [ModelFile(name="a", key=put(blobs, f"models/{model.id}/1/a"), bytes=5, sha256="0")]
        for make, kind in ((factories.evaluation, "evaluations"), (factories.embedding, "embeddings")):
            record = make(session)
            record.files = [{"name": "a", "key": put(blobs, f"{kind}/{record.id}/1/a"), "bytes": 5, "sha256": "0"}]
        upload = uploads.create(session, filename="a", size=9, meta="", hours=96, most=9, most_bytes=99)
        with blobs.grow(uploads.key_of(upload.id)) as growing:
            growing.write(b"some")
    return keys(blobs)


class TestInStore:
    def test_what_records_refer_to_stays(self, database: Database, blobs: LocalBlobs, wanted: set[str]):
        assert len(wanted) == 12
        assert found(database, blobs) == {}
        free_all(database, blobs)
        assert keys(blobs) == wanted

    def test_what_they_do_not_is_freed(self, database: Database, blobs: LocalBlobs, wanted: set[str], tmp_path: Path):
        job = next(key for key in wanted if "/checkpoints/" in key).split("/")[1]
        lost = {
            "datasets/ds_gone": ["datasets/ds_gone/upload", "datasets/ds_gone/1/shard-0.parquet"],
            "models/model_gone": ["models/model_gone/1/encoder.safetensors"],
            "uploads/up_gone": ["uploads/up_gone/content"],
            f"jobs/{job}/checkpoints/0-1": [f"jobs/{job}/checkpoints/0-1"],
        }
        for names in lost.values():
            for key in names:
                put(blobs, key)
        half = tmp_path / "data" / "blobs" / "jobs" / job / "checkpoints" / ".2-1.0123456789abcdef"
        half.write_bytes(b"half")
        told = found(database, blobs)
        assert {name: orphan.bytes for name, orphan in told.items()} == {
            **{name: 5 * len(names) for name, names in lost.items()},
            half.relative_to(tmp_path / "data" / "blobs").as_posix(): 4,
        }
        assert keys(blobs) > wanted  # to look is not to free
        free_all(database, blobs)
        assert keys(blobs) == wanted

    def test_a_retry_keeps_the_checkpoints_that_it_took_over(self, database: Database, blobs: LocalBlobs):
        with database.write() as session:
            job = factories.job(session)
            kept = put(blobs, f"jobs/{job.id}/checkpoints/1-1")
            put(blobs, f"jobs/{job.id}/checkpoints/0-1")
            job.checkpoints, job.state = [{"key": kept, "step": 1, "attempt": 1}], JobState.FAILED
            again = retries.create(session, job, job.checkpoints, idempotency_key=None, request_hash="")
            again.state = JobState.FAILED
            thrice = retries.create(session, again, again.checkpoints, idempotency_key=None, request_hash="")
        free_all(database, blobs)
        assert keys(blobs) == {kept}
        with database.write() as session:
            jobs.get(session, thrice.id).state = JobState.SUCCEEDED
        free_all(database, blobs)
        assert keys(blobs) == set()

    def test_a_deleted_project_leaves_nothing(self, database: Database, blobs: LocalBlobs, wanted: set[str]):
        with database.write() as session:
            project_id = projects.create(session, "other").id
            act_for(session, project_id)
            put(blobs, f"datasets/{factories.dataset(session).id}/upload")
            projects.delete(session, project_id)  # and the process ends before the bytes are freed
        free_all(database, blobs)
        assert keys(blobs) == wanted

    def test_a_store_of_another_database_is_left_alone(
        self, database: Database, blobs: LocalBlobs, wanted: set[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ):
        other = LocalBlobs(tmp_path / "other")
        theirs = {put(other, f"{kind}/x_{number}/a") for kind in ("datasets", "jobs", "models") for number in range(3)}
        free_all(database, other)
        assert keys(other) == theirs
        assert "is it the right database?" in caplog.text

    def test_an_upload_whose_time_is_over(self, database: Database, blobs: LocalBlobs):
        with database.write() as session:
            upload = uploads.create(session, filename="a", size=9, meta="", hours=1, most=9, most_bytes=99)
            upload.expires_at = now(session) - timedelta(seconds=1)
            with blobs.grow(uploads.key_of(upload.id)) as growing:
                growing.write(b"some")
        (orphan,) = found(database, blobs).values()
        assert (orphan.place, orphan.bytes) == ("uploads", 4)
        orphan.free()
        assert (keys(blobs), found(database, blobs)) == (set(), {})


class TestYoung:
    def test_blobs_come_before_their_record(self, database: Database, blobs: LocalBlobs, tmp_path: Path):
        put(blobs, "models/model_1/1/a")
        # Made long ago, and linked into the store just now.
        source = tmp_path / "made"
        source.write_bytes(b"bytes")
        os.utime(source, (0, 0))
        blobs.put("models/model_2/1/a", source)
        assert found(database, blobs, YOUNG) == {}

    def test_what_was_changed_since_it_was_found_stays(self, database: Database, blobs: LocalBlobs):
        with database.write() as session:
            model_id = factories.model(session).id
        key = put(blobs, f"models/{model_id}/1/a")
        (orphan,) = found(database, blobs).values()
        put(blobs, key, b"another")
        orphan.free()
        assert keys(blobs) == {key}


class TestChores:
    def test_one_of_many_does_it(self, database: Database):
        barrier, taken = Barrier(6), []

        def take(holder: str) -> None:
            barrier.wait()
            with database.write() as session:
                if chores.take(session, "sweep", holder, lease=timedelta(hours=1)):
                    taken.append(holder)

        threads = [Thread(target=take, args=(f"worker_{number}",)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 1

    def test_is_due_again_later_and_taken_from_the_dead(self, database: Database):
        with database.write() as session:
            assert chores.take(session, "sweep", "dead", lease=timedelta(seconds=-1))
            assert chores.take(session, "sweep", "alive", lease=timedelta(hours=1))
            chores.done(session, "sweep", "dead", again=timedelta())
            assert not chores.take(session, "sweep", "third", lease=timedelta(hours=1))
            chores.done(session, "sweep", "alive", again=timedelta(hours=1))
            assert not chores.take(session, "sweep", "third", lease=timedelta(hours=1))
