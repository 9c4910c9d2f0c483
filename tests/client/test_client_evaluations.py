import json

import pytest
from pretext_client import InvalidRequest, jobs
from pretext_client.cli import app
from typer.testing import CliRunner

from tests.client.faults import DATASET, JOB, answer, page, problem
from tests.client.test_client_download import CONTENT, ETAG, SHA256, ranged
from tests.client.test_client_jobs import DONE, EVENTS, progressed

SAVED = {"labels": 20.0, "accuracy": 0.6, "scratch_accuracy": 0.45, "needed": 130.0, "low": 95.0, "high": None, "helps": True}
MEASURED = {"accuracy": 0.5, "interval": [0.4, 0.6], "balanced_accuracy": 0.48, "best_stage": "layer3"}
EVALUATION = {
    "object": "evaluation",
    "id": "eval_1",
    "job_id": "job_1",
    "model_id": "model_1",
    "dataset_id": "ds_1",
    "sentence": "With 20 labels per class your encoder, fine-tuned, is 60.0% accurate: …",
    "metrics": {"knn": 0.5},
    "labels_saved": [SAVED],
    "report": {
        "data": {
            "train": 80,
            "test": 20,
            "kind": "image",
            "test_split": "held out, 20% of each class",
            "duplicates": {"found": 2, "removed_from_training": 3},
        },
        "knn": {"pretrained": MEASURED, "untrained": {**MEASURED, "accuracy": 0.2}},
        "fine_tune": {"pretrained": {**MEASURED, "accuracy": 0.7}, "scratch": {**MEASURED, "accuracy": 0.3}},
        "retrieval": {"pretrained": {"mean_average_precision": 0.3}, "untrained": {"mean_average_precision": 0.1}},
    },
    "files": [{"name": "report.json", "bytes": len(CONTENT), "sha256": SHA256}],
    "created_at": "2026-11-02T10:00:00Z",
    "metadata": {},
}


def attacked(clean: float, noise: float, fgsm: float, pgd: float, **more: object) -> dict:
    attacks = [
        {"epsilon": 0.0, "noise": clean, "fgsm": clean, "pgd": clean},
        {"epsilon": 8 / 255, "noise": noise, "fgsm": fgsm, "pgd": pgd},
    ]
    return {"attacks": attacks, **more}


ROBUSTNESS = {
    "heads": {
        "linear": {
            "pretrained": attacked(
                0.7,
                0.6,
                0.3,
                0.2,
                control={"epsilon": 8 / 255, "accuracy": 0.35},
                one_pixel={"share": 0.25},
                corruptions={"gaussian_noise": {"accuracy": 0.5}},
                corrupted_accuracy=0.5,
                checks=[{"holds": True, "says": "fine"}],
            ),
            "untrained": attacked(
                0.6,
                0.5,
                0.25,
                0.1,
                control={"epsilon": 8 / 255, "accuracy": 0.3},
                one_pixel={"share": None},
                corruptions={"gaussian_noise": {"accuracy": 0.4}},
                corrupted_accuracy=0.4,
                checks=[{"holds": False, "says": "gradients are masked"}],
            ),
        }
    }
}


@pytest.fixture
def pretext(script, monkeypatch):
    monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.01)

    def run(*arguments: str):
        result = CliRunner().invoke(app, ["--url", script.url, "--api-key", "k", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


class TestEvaluate:
    def test_asks_for_an_evaluation(self, script, client):
        script.on("POST", "/v1/jobs", answer({**JOB, "kind": "evaluate"}, 201))
        client.jobs.evaluate("model_1", "ds_1", protocols=["knn", {"name": "label_efficiency", "draws": 5}], seed=3)
        asked = json.loads(script.seen[0].body)
        assert asked == {
            "kind": "evaluate",
            "model_id": "model_1",
            "dataset_id": "ds_1",
            "protocols": [{"name": "knn"}, {"name": "label_efficiency", "draws": 5}],
            "seed": 3,
        }
        assert script.seen[0].headers["idempotency-key"]

    def test_names_models_to_compare_with(self, script, client):
        script.on("POST", "/v1/jobs", answer({**JOB, "kind": "evaluate"}, 201))
        client.jobs.evaluate("model_1", "ds_1", references=("model_2", "model_3"))
        assert json.loads(script.seen[0].body)["references"] == ["model_2", "model_3"]

    def test_leaves_the_protocols_to_the_server(self, script, client):
        script.on("POST", "/v1/jobs", answer({**JOB, "kind": "evaluate"}, 201))
        client.jobs.evaluate("model_1", "ds_1")
        assert "protocols" not in json.loads(script.seen[0].body)

    def test_what_the_server_refuses_is_told(self, script, client):
        script.on("POST", "/v1/jobs", problem(422, detail="ds_1 has 0 classes", param="dataset_id"))
        with pytest.raises(InvalidRequest, match="0 classes"):
            client.jobs.evaluate("model_1", "ds_1")


class TestEvaluations:
    def test_are_read_and_listed(self, script, client):
        script.on("GET", "/v1/evaluations/eval_1", answer(EVALUATION))
        found = client.evaluations.get("eval_1")
        assert found.labels_saved[0].needed == 130
        assert (found.labels_saved[0].high, found.report["data"]["train"]) == (None, 80)
        script.on("GET", "/v1/evaluations", page(EVALUATION))
        assert [one.id for one in client.evaluations.list(model_id="model_1")] == ["eval_1"]

    def test_are_downloaded(self, script, client, tmp_path):
        script.on("GET", "/v1/evaluations/eval_1", answer(EVALUATION))
        script.on("GET", "/v1/evaluations/eval_1/files/report.json", ranged(CONTENT, ETAG))
        assert client.evaluations.download("eval_1", tmp_path) == (tmp_path / "report.json",)
        assert (tmp_path / "report.json").read_bytes() == CONTENT


class TestCommand:
    def test_evaluates_and_tells_the_answer(self, script, pretext):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("POST", "/v1/jobs", answer({**JOB, "kind": "evaluate"}, 201))
        script.on("GET", EVENTS, answer(progressed(1)))
        script.on("GET", "/v1/jobs/job_1", answer({**DONE, "kind": "evaluate", "evaluation_id": "eval_1"}))
        script.on("GET", "/v1/evaluations/eval_1", answer(EVALUATION))
        result = pretext(
            "evaluate",
            "model_1",
            "ds_1",
            "--protocol",
            "knn",
            "--set",
            "knn.k=5",
            "--set",
            "seed=2",
            "--watch",
            "--reference",
            "model_2",
        )
        assert result.exit_code == 0, result.output
        asked = next(json.loads(one.body) for one in script.seen if one.method == "POST")
        assert (asked["protocols"], asked["seed"]) == ([{"k": 5, "name": "knn"}], 2)
        assert asked["references"] == ["model_2"]
        assert EVALUATION["sentence"] in result.stdout
        assert "evaluations show eval_1" in result.stdout

    def test_a_training_can_be_evaluated_at_once(self, script, pretext):
        trained = {**DONE, "model_id": "model_1", "evaluate": {"protocols": [], "job_id": "job_2"}}
        for _ in range(2):
            script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
            script.on("POST", "/v1/jobs", answer(JOB, 201))
            script.on("GET", EVENTS, answer(progressed(1)))
            script.on("GET", "/v1/jobs/job_1", answer(trained))
            script.on("GET", "/v1/jobs/job_2/events", answer(progressed(1)))
            script.on("GET", "/v1/jobs/job_2", answer({**DONE, "id": "job_2", "kind": "evaluate", "evaluation_id": "eval_1"}))
        script.on("GET", "/v1/evaluations/eval_1", answer(EVALUATION))
        result = pretext("train", "ds_1", "--evaluate", "--watch")
        assert result.exit_code == 0, result.output
        assert next(json.loads(one.body) for one in script.seen if one.method == "POST")["evaluate"] == {}
        assert "job_1  succeeded: model_1" in result.stdout
        assert EVALUATION["sentence"] in result.stdout
        document = json.loads(pretext("--json", "train", "ds_1", "--evaluate", "--watch").stdout)
        assert (document["id"], document["evaluation_id"]) == ("job_2", "eval_1")

    def test_settings_of_a_protocol_that_is_not_asked_for_are_refused(self, pretext):
        result = pretext("evaluate", "model_1", "ds_1", "--protocol", "knn", "--set", "linear.k=5")
        assert result.exit_code == 2
        assert "--protocol linear" in result.stderr

    def test_shows_one(self, script, pretext):
        script.on("GET", "/v1/evaluations/eval_1", answer(EVALUATION))
        lines = pretext("evaluations", "show", "eval_1").stdout.splitlines()
        assert lines == [
            EVALUATION["sentence"],
            "",
            "80 training and 20 test images (held out, 20% of each class)",
            "2 test images are among the training images too, exactly or nearly; 3 of these were removed",
            "kNN: 50.0% (40.0% to 60.0%) at layer3, balanced 48.0%; untrained 20.0%",
            "fine-tuned: 70.0% (40.0% to 60.0%) at layer3, balanced 48.0%; from scratch 30.0%",
            "retrieval: mean average precision 0.300, untrained 0.100",
            "",
            "labels per class   accuracy   from scratch   from scratch it needs (95%)",
            "              20      60.0%          45.0%   130 (95 to more than there are)",
        ]

    def test_shows_what_was_measured_beside_and_under_attack(self, script, pretext):
        reference = {"id": "model_2", "name": "Image\x1bNet", "labels_saved": [{**SAVED, "accuracy": 0.8}]}
        knn = {"pretrained": MEASURED, "untrained": MEASURED, "references": {"model_2": {**MEASURED, "accuracy": 0.75}}}
        report = {**EVALUATION["report"], "knn": knn, "robustness": ROBUSTNESS}
        script.on("GET", "/v1/evaluations/eval_1", answer({**EVALUATION, "references": [reference], "report": report}))
        shown = pretext("evaluations", "show", "eval_1").stdout
        assert "\x1b" not in shown
        lines = shown.splitlines()
        assert "75.0% at layer3" in lines[5]
        begin = next(number for number, line in enumerate(lines) if "model_2" in line)
        assert lines[begin + 2].split()[:2] == ["20", "80.0%"]
        assert [" ".join(line.split()) for line in lines[begin + 4 :]] == [
            "under attack, linear head pretrained untrained",
            "clean 70.0% 60.0%",
            "random noise, 8/255 60.0% 50.0%",
            "FGSM, 8/255 30.0% 25.0%",
            "PGD, 8/255 20.0% 10.0%",
            "search, 8/255 35.0% 30.0%",
            "fooled by one pixel 25.0% -",
            "corrupted 50.0% 40.0%",
            "gaussian noise 50.0% 40.0%",
            "untrained: gradients are masked",
        ]

    def test_lists_downloads_and_deletes(self, script, pretext, tmp_path):
        script.on("GET", "/v1/evaluations", page(EVALUATION))
        assert "eval_1\t50.0%\t\t" in pretext("evaluations").stdout
        script.on("GET", "/v1/evaluations/eval_1", answer(EVALUATION))
        script.on("GET", "/v1/evaluations/eval_1/files/report.json", ranged(CONTENT, ETAG))
        assert pretext("evaluations", "download", "eval_1", str(tmp_path)).stdout == f"{tmp_path / 'report.json'}\n"
        script.on("DELETE", "/v1/evaluations/eval_1", answer(b"", 204))
        assert pretext("evaluations", "delete", "eval_1").stdout == "eval_1  deleted\n"
