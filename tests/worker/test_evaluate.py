import os
import signal

import numpy as np

from records.blobs import LocalBlobs
from records.database import Database
from records.models import Evaluation
from records.queries import datasets, evaluations, events, jobs, labels, models
from records.states import JobState
from ssl_core.labels.stored import LabelSet, written
from tests.worker.conftest import PROTOCOLS
from tests.worker.test_engine import child_pids, until
from worker.engine import Engine


def evaluation_of(database: Database, evaluation_id: str | None) -> Evaluation:
    assert evaluation_id is not None
    with database.read() as session:
        return evaluations.get(session, evaluation_id)


class TestEvaluate:
    def test_publishes_a_report(self, engine: Engine, database: Database, blobs: LocalBlobs, evaluate, model_id, read_job):
        job_id = evaluate()
        engine.work(job_id)
        job = read_job(job_id)
        assert job.state == JobState.SUCCEEDED, job.error
        assert (job.spec["device"], job.environment["device"]) == ("cpu", "cpu")
        found = evaluation_of(database, job.evaluation_id)
        assert (found.job_id, found.model_id, found.sentence) == (job_id, model_id, found.report["sentence"])
        assert found.metrics == {"knn": found.report["knn"]["pretrained"]["accuracy"]}
        assert {"report.json", "label_efficiency.svg", "confusion.png"} <= {file["name"] for file in found.files}
        assert all(blobs.path(file["key"]).stat().st_size == file["bytes"] for file in found.files)
        with database.read() as session:
            assert models.get(session, model_id).job_id != job_id

    def test_compares_with_other_models_by_their_names(
        self, engine: Engine, database: Database, labelled, pretrain, evaluate, read_job
    ):
        other_job = pretrain(labelled)
        engine.work(other_job)
        other = str(read_job(other_job).model_id)
        with database.write() as session:
            models.get(session, other).name = "--odd = name"
        efficiency = {**PROTOCOLS[1], "draws": 2, "steps": 2, "methods": ["linear"]}
        robustness = {"name": "robustness", "images": 8, "attack_steps": 2, "control_queries": 3, "one_pixel": None}
        job_id = evaluate(references=[other], protocols=["knn", efficiency, robustness])
        engine.work(job_id)
        job = read_job(job_id)
        assert job.state == JobState.SUCCEEDED, job.error
        found = evaluation_of(database, job.evaluation_id)
        (reference,) = found.report["references"]
        assert (reference["id"], reference["name"]) == (other, "--odd = name")
        assert reference["sentence"] in found.sentence
        assert found.metrics.keys() == {"knn", "attacked", "corrupted"}
        assert "robustness.png" in {file["name"] for file in found.files}

    def test_a_killed_process_goes_on_and_finds_the_same(
        self, engine: Engine, database: Database, evaluate, read_job, in_background
    ):
        undisturbed = evaluate()
        engine.work(undisturbed)
        job_id = evaluate()
        in_background(engine.work, job_id)
        until(lambda: len(read_job(job_id).checkpoints) > 0)
        for pid in child_pids(job_id):
            os.kill(pid, signal.SIGKILL)
        until(lambda: read_job(job_id).state == JobState.SUCCEEDED)
        job = read_job(job_id)
        assert (job.attempt, job.checkpoints) == (2, [])
        first, second = (evaluation_of(database, read_job(one).evaluation_id) for one in (undisturbed, job_id))
        assert first.report == second.report
        assert [file["sha256"] for file in first.files] == [file["sha256"] for file in second.files]

    def test_works_with_the_labels_that_it_began_with(
        self, engine: Engine, database: Database, blobs: LocalBlobs, evaluate, labelled, read_job, in_background
    ):
        def give(shift: int) -> str:
            with database.read() as session:
                shards = [blobs.path(shard["key"]) for shard in datasets.get(session, labelled).shards or []]
            names = tuple(f"class{number}" for number in range(4))
            given = LabelSet(names, (np.arange(80) // 3 + shift) % 4, None)
            key = f"datasets/{labelled}/labels/{shift}.parquet"
            with blobs.writer(key) as writer:
                writer.write(written(given, shards))
            with database.write() as session:
                file = {"key": key, "version": given.version, "counts": given.counts(), "splits": None}
                assert labels.replace(session, labelled, list(names), file) == []
            return str(given.version)

        first = give(0)
        job_id = evaluate()
        in_background(engine.work, job_id)
        until(lambda: len(read_job(job_id).checkpoints) > 0)
        second = give(1)
        for pid in child_pids(job_id):
            os.kill(pid, signal.SIGKILL)
        until(lambda: read_job(job_id).state == JobState.SUCCEEDED)
        assert read_job(job_id).attempt == 2
        report = evaluation_of(database, read_job(job_id).evaluation_id).report
        assert (report["data"]["labels_version"], report["classes"][0]) == (first, "class0")
        later = evaluate(protocols=["knn"])
        until(lambda: engine.work(later) or read_job(later).state == JobState.SUCCEEDED)  # once the slot of the first is free
        assert evaluation_of(database, read_job(later).evaluation_id).report["data"]["labels_version"] == second

    def test_follows_a_pretraining_that_asked_for_it(self, engine: Engine, database: Database, labelled, pretrain, read_job):
        job_id = pretrain(labelled)
        with database.write() as session:
            jobs.get(session, job_id).evaluate = {"dataset_id": labelled, "protocols": ["knn"]}
        engine.work(job_id)
        trained = read_job(job_id)
        evaluation = read_job(trained.evaluate["job_id"])
        assert (evaluation.kind, evaluation.state, evaluation.model_id) == ("evaluate", JobState.SUCCEEDED, trained.model_id)
        assert evaluation_of(database, evaluation.evaluation_id).model_id == trained.model_id

    def test_a_dataset_that_is_gone_by_then_costs_the_evaluation_alone(
        self, engine: Engine, database: Database, labelled, pretrain, read_job
    ):
        job_id = pretrain(labelled)
        with database.write() as session:
            jobs.get(session, job_id).evaluate = {"dataset_id": "ds_gone"}
        engine.work(job_id)
        job = read_job(job_id)
        assert (job.state, "job_id" in job.evaluate) == (JobState.SUCCEEDED, False)
        with database.read() as session:
            found, _ = events.page(session, job_id, after=0, limit=500)
        assert any("is not evaluated: there is no dataset 'ds_gone'" in str(event.data.get("message")) for event in found)

    def test_what_cannot_be_done_fails_with_its_reason(self, engine: Engine, evaluate, read_job):
        job_id = evaluate(protocols=[{"name": "label_efficiency", "labels_per_class": [400]}])
        engine.work(job_id)
        job = read_job(job_id)
        assert (job.state, job.error["code"], job.evaluation_id) == (JobState.FAILED, "too_few_labels", None)
