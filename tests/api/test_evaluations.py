import json
from hashlib import sha256

import pytest
from httpx import Client

from api.services import Services
from records.queries import datasets, jobs, models
from tests import factories

REPORT = {
    "sentence": "With 20 labels per class …",
    "labels_saved": [
        {"labels": 20.0, "accuracy": 0.6, "scratch_accuracy": 0.4, "needed": 130.0, "low": 95.0, "high": None, "helps": True}
    ],
    "knn": {},
}


@pytest.fixture
def model_id(services: Services) -> str:
    with services.database.write() as session:
        return factories.model(session).id


@pytest.fixture
def dataset_id(services: Services) -> str:
    with services.database.write() as session:
        return factories.dataset(session, images=200, labels=["cat", "dog"]).id


@pytest.fixture
def asked(model_id: str, dataset_id: str) -> dict:
    return {"kind": "evaluate", "model_id": model_id, "dataset_id": dataset_id}


@pytest.fixture
def evaluation_id(services: Services, model_id: str, dataset_id: str) -> str:
    content = json.dumps(REPORT).encode()
    key = "evaluations/eval_1/report.json"
    with services.blobs.writer(key) as writer:
        writer.write(content)
    file = {"name": "report.json", "key": key, "bytes": len(content), "sha256": sha256(content).hexdigest()}
    with services.database.write() as session:
        made = factories.evaluation(session, id="eval_1", model_id=model_id, dataset_id=dataset_id, report=REPORT, files=[file])
        return made.id


class TestAsk:
    def test_queues_a_job(self, client: Client, asked: dict):
        answer = client.post("/v1/jobs", json={**asked, "protocols": ["knn", {"name": "label_efficiency", "draws": 5}], "seed": 3})
        assert answer.status_code == 201
        job = answer.json()
        assert (job["kind"], job["state"], job["model_id"], job["evaluation_id"]) == ("evaluate", "queued", asked["model_id"], None)
        spec = job["spec"]
        assert (spec["seed"], spec["test_share"], spec["duplicates"]) == (3, 0.2, "remove")
        assert [(one["name"], one.get("k"), one.get("draws")) for one in spec["protocols"]] == [
            ("knn", 20, None),
            ("label_efficiency", None, 5),
        ]
        assert client.get(f"/v1/jobs/{job['id']}").json() == job
        assert [one["id"] for one in client.get("/v1/jobs?kind=evaluate").json()["data"]] == [job["id"]]

    def test_measures_what_people_come_for_by_default(self, client: Client, asked: dict):
        names = [one["name"] for one in client.post("/v1/jobs", json=asked).json()["spec"]["protocols"]]
        assert names == ["knn", "linear", "retrieval", "label_efficiency"]

    def test_the_same_idempotency_key_makes_one_job(self, client: Client, asked: dict):
        first, again = (client.post("/v1/jobs", json=asked, headers={"Idempotency-Key": "once"}).json() for _ in range(2))
        assert first == again
        other = client.post("/v1/jobs", json={**asked, "seed": 1}, headers={"Idempotency-Key": "once"})
        assert other.json()["code"] == "idempotency_key_reused"

    @pytest.mark.parametrize(
        ("change", "param", "says"),
        [
            ({"kind": "evaluat"}, "kind", "'pretrain', 'evaluate'"),
            ({"kind": None}, "kind", "'pretrain', 'evaluate'"),
            ({"model_id": "model_x"}, "model_id", "no model 'model_x'"),
            ({"dataset_id": "ds_x"}, "dataset_id", "no dataset 'ds_x'"),
            ({"protocols": ["knnn"]}, "protocols.0.name", "'label_efficiency'"),
            ({"protocols": [{"name": "knn", "k": 0}]}, "protocols.0.k", "greater than or equal to 1"),
            ({"protocols": [{"name": "knn", "kk": 0}]}, "protocols.0.kk", "no such field"),
            ({"protocols": []}, "protocols", "at least 1 item"),
            ({"protocols": ["knn", "knn"]}, None, "twice"),
            ({"protocols": [{"name": "label_efficiency", "labels_per_class": [5, 5]}]}, "protocols.0", "twice"),
            ({"task": {"name": "rotation"}}, "task", "no such field"),
        ],
    )
    def test_what_cannot_be_is_refused_by_name(self, client: Client, asked: dict, change: dict, param: str | None, says: str):
        answer = client.post("/v1/jobs", json={**asked, **change})
        assert answer.status_code in {404, 422}
        assert (answer.json().get("param"), says in answer.json()["detail"]) == (param, True), answer.json()

    def test_a_dataset_without_labels_is_refused(self, client: Client, services: Services, asked: dict):
        with services.database.write() as session:
            unlabelled = factories.dataset(session, images=200).id
        answer = client.post("/v1/jobs", json={**asked, "dataset_id": unlabelled})
        assert (answer.status_code, answer.json()["param"]) == (422, "dataset_id")
        assert "folder for each class" in answer.json()["detail"]

    def test_a_dataset_of_the_other_kind_is_refused(self, client: Client, services: Services, asked: dict):
        with services.database.write() as session:
            datasets.get(session, asked["dataset_id"]).kind = "video"
        answer = client.post("/v1/jobs", json=asked)
        assert "is of images" in answer.json()["detail"]

    def test_takes_other_models_to_compare_with(self, client: Client, services: Services, asked: dict):
        with services.database.write() as session:
            others = [factories.model(session).id for _ in range(3)]
        job = client.post("/v1/jobs", json={**asked, "references": others}).json()
        assert job["spec"]["references"] == others
        for other in others:
            refused = client.delete(f"/v1/models/{other}")
            assert (refused.status_code, job["id"] in refused.json()["detail"]) == (409, True)
        with services.database.write() as session:
            jobs.cancel(session, job["id"])
        assert client.delete(f"/v1/models/{others[0]}").status_code == 204

    def test_other_models_are_kept_for_what_follows_a_pretraining(self, client: Client, services: Services, dataset_id: str):
        with services.database.write() as session:
            other = factories.model(session).id
        asked = {"dataset_id": dataset_id, "task": {"name": "rotation"}, "evaluate": {"references": [other]}}
        job = client.post("/v1/jobs", json=asked)
        assert job.json()["evaluate"]["references"] == [other]
        assert client.delete(f"/v1/models/{other}").status_code == 409
        gone = client.post("/v1/jobs", json={**asked, "evaluate": {"references": ["model_x"]}})
        assert (gone.status_code, gone.json()["param"]) == (404, "evaluate.references.0")

    def test_models_that_cannot_be_compared_with_are_refused(self, client: Client, services: Services, asked: dict):
        with services.database.write() as session:
            clips = factories.model(session, task="video_rotation", encoder={"name": "r3d_18", "stem": "standard"}).id
        for references, param, says in (
            (["model_x"], "references.0", "no model 'model_x'"),
            ([asked["model_id"]], "references", "the model that is evaluated"),
            ([clips], "references.0", "is of videos"),
            ([clips, clips], None, "twice"),
            (["a", "b", "c", "d"], "references", "at most 3"),
        ):
            answer = client.post("/v1/jobs", json={**asked, "references": references})
            assert answer.status_code in {404, 422}
            assert (answer.json().get("param"), says in answer.json()["detail"]) == (param, True), answer.json()

    def test_epsilons_may_be_written_as_in_papers(self, client: Client, asked: dict):
        robustness = {"name": "robustness", "epsilons": ["1/255", 0.5], "one_pixel": None}
        (spec,) = client.post("/v1/jobs", json={**asked, "protocols": [robustness]}).json()["spec"]["protocols"]
        assert (spec["epsilons"], spec["one_pixel"], spec["heads"]) == ([1 / 255, 0.5], None, ["linear"])
        for epsilons, param, says in (
            (["many"], "protocols.0.epsilons.0", "8/255"),
            ([2], "protocols.0.epsilons.0", "less than or equal to 1"),
            ([0.1, 0.1], "protocols.0", "twice"),
        ):
            answer = client.post("/v1/jobs", json={**asked, "protocols": [{"name": "robustness", "epsilons": epsilons}]})
            assert (answer.status_code, answer.json()["param"], says in answer.json()["detail"]) == (422, param, True), (
                answer.json()
            )
        robustness = {"name": "robustness", "control_epsilon": 0.3}
        answer = client.post("/v1/jobs", json={**asked, "protocols": [robustness]})
        assert "one of `epsilons`" in answer.json()["detail"]

    def test_until_its_end_the_model_cannot_be_deleted(self, client: Client, services: Services, asked: dict):
        job_id = client.post("/v1/jobs", json=asked).json()["id"]
        assert client.delete(f"/v1/models/{asked['model_id']}").status_code == 409
        with services.database.write() as session:
            jobs.cancel(session, job_id)
        assert client.delete(f"/v1/models/{asked['model_id']}").status_code == 204
        with services.database.read() as session:
            assert models.page(session, limit=1, after=None)[0] == []


class TestRead:
    def test_says_how_many_labels_are_saved(self, client: Client, evaluation_id: str, model_id: str):
        told = client.get(f"/v1/evaluations/{evaluation_id}").json()
        assert (told["object"], told["model_id"], told["sentence"]) == ("evaluation", model_id, REPORT["sentence"])
        assert told["labels_saved"] == REPORT["labels_saved"]
        assert told["report"] == REPORT
        assert told["files"][0]["url"] == f"/v1/evaluations/{evaluation_id}/files/report.json"

    def test_says_what_other_models_save(self, client: Client, services: Services, model_id: str, dataset_id: str):
        reference = {"id": "model_2", "name": "ImageNet", "encoder": {"name": "resnet18"}, "image_size": 224, "more": 1}
        report = {**REPORT, "references": [{**reference, "labels_saved": REPORT["labels_saved"], "sentence": "With …"}]}
        with services.database.write() as session:
            made = factories.evaluation(session, model_id=model_id, dataset_id=dataset_id, report=report).id
        (told,) = client.get(f"/v1/evaluations/{made}").json()["references"]
        assert (told["id"], told["name"], told["image_size"], told["sentence"]) == ("model_2", "ImageNet", 224, "With …")
        assert told["labels_saved"] == REPORT["labels_saved"]

    def test_lists_those_of_a_model(self, client: Client, evaluation_id: str, model_id: str):
        (listed,) = client.get(f"/v1/evaluations?model_id={model_id}").json()["data"]
        assert (listed["id"], "report" in listed) == (evaluation_id, False)
        assert client.get("/v1/evaluations?model_id=model_other").json()["data"] == []

    def test_gives_the_files(self, client: Client, evaluation_id: str):
        answer = client.get(f"/v1/evaluations/{evaluation_id}/files/report.json")
        assert answer.json() == REPORT
        again = client.get(answer.request.url.path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304
        missing = client.get(f"/v1/evaluations/{evaluation_id}/files/other.png")
        assert (missing.status_code, "it has report.json" in missing.json()["detail"]) == (404, True)

    def test_outlives_its_model(self, client: Client, evaluation_id: str, model_id: str):
        client.delete(f"/v1/models/{model_id}")
        assert client.get(f"/v1/evaluations/{evaluation_id}").json()["model_id"] == model_id

    def test_is_deleted_with_its_files(self, client: Client, services: Services, evaluation_id: str):
        assert client.delete(f"/v1/evaluations/{evaluation_id}").status_code == 204
        assert client.get(f"/v1/evaluations/{evaluation_id}").status_code == 404
        with pytest.raises(FileNotFoundError):
            services.blobs.path("evaluations/eval_1/report.json")
