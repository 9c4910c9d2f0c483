import json
import threading
import time

import pytest
from httpx import Client
from sqlalchemy.orm import Session

from api.jobs import service
from api.jobs.schemas import PretrainRequest
from api.services import Services
from records.queries import datasets, jobs, leases, models, workers
from records.queries.leases import Lease
from records.states import JobState
from tests import factories


@pytest.fixture
def dataset_id(services: Services) -> str:
    with services.database.write() as session:
        return factories.dataset(session, images=2000, median_side=32).id


@pytest.fixture
def request_body(dataset_id: str) -> dict:
    return {"kind": "pretrain", "dataset_id": dataset_id, "task": {"name": "rotation"}, "encoder": {"name": "tiny"}}


class TestCreate:
    def test_answers_with_everything_decided(self, client: Client, request_body: dict):
        answer = client.post("/v1/jobs", json={**request_body, "epochs": 3, "metadata": {"who": "me"}, "priority": 2})
        assert answer.status_code == 201
        job = answer.json()
        assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
        assert (job["state"], job["priority"], job["metadata"]) == ("queued", 2, {"who": "me"})
        spec = job["spec"]
        assert (spec["image_size"], spec["batch_size"], spec["steps"], spec["epochs"]) == (32, 128, 45, 3)
        assert spec["task"]["crop"] == "pad"
        assert spec["optimizer"]["name"] == "sgd"
        assert client.get(answer.headers["Location"]).json() == job

    def test_the_device_is_that_of_the_workers(self, client: Client, services: Services, request_body: dict):
        assert client.post("/v1/jobs", json=request_body).json()["spec"]["device"] == "auto"
        with services.database.write() as session:
            workers.seen(session, "w", host="h", pid=1, device="cpu", slots={})
        spec = client.post("/v1/jobs", json=request_body).json()["spec"]
        assert (spec["device"], spec["precision"]) == ("cpu", "fp32")
        with services.database.write() as session:
            workers.seen(session, "g", host="h", pid=2, device="cuda", slots={})
        spec = client.post("/v1/jobs", json=request_body).json()["spec"]
        assert (spec["device"], spec["precision"]) == ("cuda", "bf16")

    def test_an_evaluation_can_follow(self, client: Client, services: Services, request_body: dict):
        with services.database.write() as session:
            labelled = factories.dataset(session, images=100, labels=["cat", "dog"], kind="image").id
            unlabelled = factories.dataset(session, images=100, kind="image").id
            datasets.get(session, request_body["dataset_id"]).kind = "image"
        assert client.post("/v1/jobs", json=request_body).json()["evaluate"] is None
        asked = {**request_body, "evaluate": {"dataset_id": labelled, "protocols": ["knn"], "seed": 2}}
        told = client.post("/v1/jobs", json=asked).json()["evaluate"]
        assert (told["dataset_id"], told["seed"], told["protocols"][0]["k"], told["job_id"]) == (labelled, 2, 20, None)
        for evaluate, param, says in (
            ({}, "evaluate", "has 0 classes"),
            ({"dataset_id": unlabelled}, "evaluate.dataset_id", "has 0 classes"),
            ({"dataset_id": "ds_x"}, "evaluate.dataset_id", "no dataset"),
            ({"dataset_id": labelled, "protocols": [{"name": "knn", "k": 0}]}, "evaluate.protocols.0.k", "greater"),
        ):
            answer = client.post("/v1/jobs", json={**request_body, "evaluate": evaluate}).json()
            assert (answer["param"], says in answer["detail"]) == (param, True), answer

    def test_labels_are_followed_where_an_evaluation_follows(self, client: Client, services: Services, request_body: dict):
        with services.database.write() as session:
            dataset = datasets.get(session, request_body["dataset_id"])
            dataset.labels, dataset.kind = ["cat", "dog"], "image"
        assert client.post("/v1/jobs", json=request_body).json()["spec"]["follow_knn"] is False
        asked = {**request_body, "evaluate": {"protocols": ["knn"]}, "early_stopping": {"patience": 0.3}}
        spec = client.post("/v1/jobs", json=asked).json()["spec"]
        assert (spec["follow_knn"], spec["early_stopping"]) == (True, {"metric": "auto", "patience": 0.3})

    def test_a_verdict_is_shown(self, client: Client, services: Services, request_body: dict):
        job_id = client.post("/v1/jobs", json=request_body).json()["id"]
        assert client.get(f"/v1/jobs/{job_id}").json()["verdict"] is None
        verdict = {"state": "plateau", "sentence": "no gain since epoch 12 (step 480), by the loss: you can stop", "step": 480}
        with services.database.write() as session:
            jobs.get(session, job_id).progress = {"phase": "train", "done": 600, "verdict": verdict}
        assert client.get(f"/v1/jobs/{job_id}").json()["verdict"] == verdict

    def test_an_empty_idempotency_key_is_refused(self, client: Client, request_body: dict):
        answer = client.post("/v1/jobs", json=request_body, headers={"Idempotency-Key": ""})
        assert (answer.status_code, answer.json()["param"]) == (422, "idempotency-key")

    def test_the_same_idempotency_key_makes_one_job(self, client: Client, request_body: dict):
        headers = {"Idempotency-Key": "once"}
        first = client.post("/v1/jobs", json=request_body, headers=headers).json()
        again = client.post("/v1/jobs", json=request_body, headers=headers)
        assert again.json()["id"] == first["id"]
        other = client.post("/v1/jobs", json={**request_body, "seed": 1}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len(client.get("/v1/jobs").json()["data"]) == 1

    @pytest.mark.parametrize(
        ("change", "param", "says"),
        [
            ({"task": {"name": "rotaton"}}, "task.name", "must be one of 'rotation', 'relative_position'"),
            ({"task": {"crop": "none"}}, "task.name", "is required"),
            ({"task": {"name": "simclr", "crop": "none"}}, "task.crop", "no such field"),
            ({"task": {"name": "rotation", "angle": 3}}, "task.angle", "no such field"),
            ({"encoder": {"name": "resnet19"}}, "encoder.name", "resnet18"),
            ({"colour": "red"}, "colour", "no such field"),
            ({"batch_size": 5000}, "batch_size", "the dataset has 2000 images"),
            ({"batch_size": 1}, "batch_size", "greater than or equal to 2"),
            ({"epochs": 3, "steps": 3}, None, "not both"),
            ({"image_size": 16, "encoder": {"name": "alexnet"}}, "image_size", "at least 64 px"),
            ({"encoder": {"name": "tiny", "stem": "small"}}, "encoder.stem", "no small-image stem"),
            ({"task": None}, "task", "valid"),
            ({"metadata": {"a": "x" * 2000}}, "metadata", "500 characters"),
        ],
    )
    def test_what_cannot_be_is_refused_by_name(self, client: Client, request_body: dict, change: dict, param: str, says: str):
        answer = client.post("/v1/jobs", json={**request_body, **change})
        assert answer.status_code == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem.get("param") == param
        assert says in problem["detail"]
        assert client.get("/v1/jobs").json()["data"] == []

    def test_an_unknown_dataset_is_not_found(self, client: Client, request_body: dict):
        answer = client.post("/v1/jobs", json={**request_body, "dataset_id": "ds_nowhere"})
        assert (answer.status_code, answer.json()["param"]) == (404, "dataset_id")

    def test_a_dataset_must_be_ready(self, client: Client, services: Services, request_body: dict):
        with services.database.write() as session:
            request_body["dataset_id"] = factories.dataset(session, state="ingesting", job_id="job_7").id
        answer = client.post("/v1/jobs", json=request_body)
        assert answer.status_code == 409
        assert "job_7" in answer.json()["detail"]

    @pytest.mark.parametrize("gone", ["dataset", "model", "labels"])
    def test_what_goes_while_it_is_decided_is_missed(
        self, client: Client, services: Services, request_body: dict, monkeypatch: pytest.MonkeyPatch, gone: str
    ):
        """Between the transaction in which a job is decided and the one in which it is made."""
        with services.database.write() as session:
            model_id = factories.model(session).id
            labelled = factories.dataset(session, images=100, labels=["cat", "dog"], kind="image").id
            datasets.get(session, request_body["dataset_id"]).kind = "image"
        decided: list[Session] = []
        decide = service._draft

        def while_others_write(session: Session, request: PretrainRequest) -> object:
            decided.append(session)
            draft = decide(session, request)
            if len(decided) == 1:
                with services.database.whole.write() as other:
                    if gone == "labels":
                        datasets.get(other, labelled).labels = ["cat"]
                    elif gone == "dataset":
                        other.delete(datasets.get(other, request_body["dataset_id"]))
                    else:
                        other.delete(models.get(other, model_id))
            return draft

        monkeypatch.setattr(service, "_draft", while_others_write)
        body = {**request_body, "init_from": model_id, "evaluate": {"dataset_id": labelled, "protocols": ["knn"]}}
        answer = client.post("/v1/jobs", json=body)
        told = {"dataset": (404, "dataset_id"), "model": (404, "init_from"), "labels": (422, "evaluate.dataset_id")}[gone]
        assert (answer.status_code, answer.json()["param"], len(decided)) == (*told, 2)
        assert client.get("/v1/jobs").json()["data"] == []
        assert client.post("/v1/jobs", json={**request_body, "dataset_id": labelled}).status_code == 201

    def test_what_is_no_json_is_told_so(self, client: Client):
        answer = client.post("/v1/jobs", content=b"{", headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert "not JSON" in answer.json()["detail"]


class TestCancel:
    def test_cancels_and_can_be_said_twice(self, client: Client, request_body: dict):
        job = client.post("/v1/jobs", json=request_body).json()
        for _ in range(2):
            assert client.post(f"/v1/jobs/{job['id']}/cancel").json()["state"] == "cancelled"

    def test_is_refused_when_it_is_over(self, client: Client, services: Services, request_body: dict):
        job = client.post("/v1/jobs", json=request_body).json()
        with services.database.write() as session:
            leases.claim(session, job["id"], "w", 10)
            leases.end(session, leases.hold(session, Lease(job["id"], 1)), JobState.SUCCEEDED)
        answer = client.post(f"/v1/jobs/{job['id']}/cancel")
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


class TestEvents:
    def test_come_in_pages(self, client: Client, request_body: dict):
        job = client.post("/v1/jobs", json=request_body).json()
        client.post(f"/v1/jobs/{job['id']}/cancel")
        first = client.get(f"/v1/jobs/{job['id']}/events", params={"limit": 1}).json()
        told = first["data"][0]["data"]
        assert (first["has_more"], told) == (True, {"state": "queued", "request_id": told["request_id"]})
        rest = client.get(f"/v1/jobs/{job['id']}/events", params={"after": 1}).json()
        assert (rest["has_more"], [event["data"]["state"] for event in rest["data"]]) == (False, ["cancelled"])

    def test_are_streamed_until_the_end(self, client: Client, services: Services, request_body: dict):
        job_id = client.post("/v1/jobs", json=request_body).json()["id"]
        database = services.database

        def work() -> None:
            with database.write() as session:
                leases.claim(session, job_id, "w", 10)
            with database.write() as session:
                leases.write_down(session, Lease(job_id, 1), found=[], metrics=[], progress={"phase": "train", "done": 1})
            time.sleep(0.8)
            with database.write() as session:
                leases.end(session, leases.hold(session, Lease(job_id, 1)), JobState.SUCCEEDED)

        worker = threading.Thread(target=work)
        worker.start()
        text = client.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream", "Last-Event-ID": "1"}).text
        worker.join()
        messages = [dict(line.split(": ", 1) for line in message.split("\n")) for message in text.strip().split("\n\n")]
        states = [json.loads(message["data"])["data"]["state"] for message in messages if message["event"] == "state"]
        assert states == ["running", "succeeded"]
        assert [message["id"] for message in messages if "id" in message] == ["2", "3"]
        assert any(message["event"] == "progress" and "id" not in message for message in messages)

    def test_are_not_asked_for_behind_a_number_that_none_can_have(self, client: Client, request_body: dict):
        job_id = client.post("/v1/jobs", json=request_body).json()["id"]
        answer = client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(2**90)})
        assert (answer.status_code, answer.json()["param"]) == (422, "last-event-id")


class TestMetrics:
    def test_come_in_order(self, client: Client, services: Services, request_body: dict):
        job_id = client.post("/v1/jobs", json=request_body).json()["id"]
        figures = [{"time": 0.0, "step": step, "epoch": 1, "values": {"loss": step / 2}} for step in (1, 2, 3)]
        with services.database.write() as session:
            leases.claim(session, job_id, "w", 10)
            leases.write_down(session, Lease(job_id, 1), found=[], metrics=figures, progress=None)
        page = client.get(f"/v1/jobs/{job_id}/metrics", params={"after": 1, "limit": 1}).json()
        assert page["has_more"]
        assert [(metric["step"], metric["values"]) for metric in page["data"]] == [(2, {"loss": 1.0})]
