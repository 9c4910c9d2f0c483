import threading
from pathlib import Path

import pytest
from httpx import Client

from api.services import Services
from records.database import Database
from records.ids import new_id
from records.models import Job
from records.queries import datasets, events, jobs, leases
from records.queries.leases import Lease
from records.states import JobState
from tests import factories


def ended(services: Services, state: JobState, **more) -> str:
    """Id of a job that has ended."""
    with services.database.write() as session:
        job_id = factories.job(session, **{"spec": {"model_id": None}, "kind": "ingest", **more}).id
        leases.claim(session, job_id, "w", 10)
        leases.end(session, leases.hold(session, Lease(job_id, 1)), state, error=None)
        return job_id


@pytest.fixture
def pretraining(client: Client, services: Services) -> str:
    """A pretraining that has failed with two checkpoints, of which the older one's bytes are gone."""
    with services.database.write() as session:
        dataset_id = factories.dataset(session, images=2000, median_side=32).id
    body = {"dataset_id": dataset_id, "task": {"name": "rotation"}, "encoder": {"name": "tiny"}, "seed": 7, "priority": 3}
    job_id = client.post("/v1/jobs", json={**body, "metadata": {"who": "me"}}).json()["id"]
    with services.blobs.writer(f"jobs/{job_id}/checkpoints/000000020-1") as file:
        file.write(b"weights")
    with services.database.write() as session:
        leases.claim(session, job_id, "w", 10)
        job = leases.hold(session, Lease(job_id, 1))
        at = "2026-11-25T20:00:00+00:00"
        job.checkpoints = [
            {"key": f"jobs/{job_id}/checkpoints/{step:09}-1", "step": step, "attempt": 1, "bytes": 7, "at": at} for step in (10, 20)
        ]
        figures = [{"time": 0.0, "step": step, "epoch": 1, "values": {"loss": 1.0}} for step in (10, 20, 30)]
        events.put_metrics(session, job_id, 1, figures)
        leases.end(session, job, JobState.FAILED, error={"code": "crashed", "message": "it crashed"})
    return job_id


def record(services: Services, job_id: str) -> Job:
    with services.database.read() as session:
        return jobs.get(session, job_id)


class TestRetry:
    def test_makes_the_same_job_anew_and_goes_on_from_what_is_left(self, client: Client, services: Services, pretraining: str):
        answer = client.post(f"/v1/jobs/{pretraining}/retry")
        assert answer.status_code == 201
        old, new = client.get(f"/v1/jobs/{pretraining}").json(), answer.json()
        assert answer.headers["Location"] == f"/v1/jobs/{new['id']}"
        assert (new["retry_of"], new["state"], new["attempt"], old["state"]) == (pretraining, "queued", 0, "failed")
        for name in ("spec", "dataset_id", "priority", "metadata", "memory_bytes"):
            assert new[name] == old[name]
        (kept,) = client.get(f"/v1/jobs/{new['id']}/checkpoints").json()["data"]
        assert (kept["step"], kept["bytes"], kept["available"], kept["at"]) == (20, 7, True, "2026-11-25T20:00:00Z")
        assert client.get(f"/v1/jobs/{pretraining}/checkpoints").json()["data"] == []
        assert [one["step"] for one in client.get(f"/v1/jobs/{new['id']}/metrics").json()["data"]] == [10, 20]
        assert [one["id"] for one in client.get("/v1/jobs", params={"retry_of": pretraining}).json()["data"]] == [new["id"]]

    def test_can_begin_anew(self, client: Client, services: Services, pretraining: str):
        new = client.post(f"/v1/jobs/{pretraining}/retry", json={"from_start": True}).json()
        assert record(services, new["id"]).checkpoints == []
        assert [one["available"] for one in client.get(f"/v1/jobs/{pretraining}/checkpoints").json()["data"]] == [False, True]

    def test_twice_is_once_until_it_has_ended(self, client: Client, services: Services, pretraining: str):
        first = client.post(f"/v1/jobs/{pretraining}/retry").json()["id"]
        second = client.post(f"/v1/jobs/{pretraining}/retry")
        assert (second.status_code, second.json()["id"]) == (200, first)
        client.post(f"/v1/jobs/{first}/cancel")
        third = client.post(f"/v1/jobs/{pretraining}/retry")
        assert (third.status_code, f"as {first}, which has cancelled: retry that one" in third.json()["detail"]) == (409, True)
        other = client.post(f"/v1/jobs/{pretraining}/retry", json={"again": True})
        assert (other.status_code, other.json()["id"] != first) == (201, True)
        assert client.post(f"/v1/jobs/{first}/retry").json()["retry_of"] == first

    def test_two_at_once_make_one(self, client: Client, services: Services, pretraining: str):
        answers: list[str] = []
        barrier = threading.Barrier(4)

        def ask() -> None:
            barrier.wait()
            answers.append(client.post(f"/v1/jobs/{pretraining}/retry").json()["id"])

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(answers), len(set(answers))) == (4, 1)
        assert len(client.get("/v1/jobs", params={"retry_of": pretraining}).json()["data"]) == 1

    def test_the_same_idempotency_key_is_one_request(self, client: Client, pretraining: str):
        headers = {"Idempotency-Key": "once"}
        first = client.post(f"/v1/jobs/{pretraining}/retry", json={"again": True}, headers=headers)
        again = client.post(f"/v1/jobs/{pretraining}/retry", json={"again": True}, headers=headers)
        assert (first.json()["id"], again.status_code) == (again.json()["id"], 200)
        other = client.post(f"/v1/jobs/{pretraining}/retry", json={"from_start": True}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    @pytest.mark.parametrize("state", [state for state in JobState if state not in {JobState.FAILED, JobState.CANCELLED}])
    def test_every_other_state_says_what_to_do(self, client: Client, services: Services, pretraining: str, state: JobState):
        with services.database.write() as session:
            jobs.get(session, pretraining).state = state
        answer = client.post(f"/v1/jobs/{pretraining}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert answer.json()["detail"].startswith(f"the job is {state}: ")

    def test_what_it_needs_must_be_there(self, client: Client, services: Services, pretraining: str):
        with services.database.write() as session:
            jobs.get(session, pretraining).spec = {**jobs.get(session, pretraining).spec, "init_from": "model_gone"}
        answer = client.post(f"/v1/jobs/{pretraining}/retry")
        assert (answer.status_code, "model_gone" in answer.json()["detail"]) == (409, True)
        client.delete(f"/v1/datasets/{client.get(f'/v1/jobs/{pretraining}').json()['dataset_id']}")
        answer = client.post(f"/v1/jobs/{pretraining}/retry")
        assert (answer.status_code, "its dataset was deleted" in answer.json()["detail"]) == (409, True)

    def test_an_ingest_is_done_again_while_its_upload_is_there(self, client: Client, services: Services, tmp_path: Path):
        upload = factories.zip_of(tmp_path / "a.zip", {"a.png": factories.png()})
        with services.database.write() as session:
            dataset_id = new_id("ds")
            services.blobs.put(f"datasets/{dataset_id}/upload", upload)
            made = (f"datasets/{dataset_id}/upload", 1, "0" * 64)
            dataset = datasets.create(
                session, dataset_id=dataset_id, name="a", filename="a.zip", upload=made, metadata={}, idempotency_key=None
            )
            job_id = dataset.job_id
            jobs.cancel(session, job_id)
            assert dataset.state == "failed"
        new = client.post(f"/v1/jobs/{job_id}/retry").json()
        told = client.get(f"/v1/datasets/{dataset_id}").json()
        assert (told["state"], told["job_id"], told["error"]) == ("ingesting", new["id"], None)
        with services.database.write() as session:
            jobs.cancel(session, new["id"])
            datasets.get(session, dataset_id).upload_key = None
        answer = client.post(f"/v1/jobs/{new['id']}/retry")
        assert (answer.status_code, "upload it again" in answer.json()["detail"]) == (409, True)

    def test_on_both_databases_metrics_go_along(self, database: Database):
        from records.queries import retries

        with database.write() as session:
            job = factories.job(session, spec={})
            figures = [{"time": 0.0, "step": step, "epoch": 1, "values": {"loss": step / 2}} for step in (1, 2, 3)]
            events.put_metrics(session, job.id, 1, figures)
            held = retries.hold(session, job.id)
            kept = [{"key": "k", "step": 2, "attempt": 1}]
            new = retries.create(session, held, kept, idempotency_key=None, request_hash="0")
            found, _ = events.metrics(session, new.id, after=0, limit=9)
            assert [(one.step, one.values) for one in found] == [(1, {"loss": 0.5}), (2, {"loss": 1.0})]
            assert retries.newest(session, job.id) is new
