import pytest
from httpx import Client

from api.services import Services
from records.queries import jobs, measurements, workers
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.costs import sort_of
from tests import factories

GB = 10**9


@pytest.fixture
def body(services: Services) -> dict:
    with services.database.write() as session:
        dataset_id = factories.dataset(session, images=2000, median_side=32, kind="image").id
    return {"dataset_id": dataset_id, "task": {"name": "rotation"}, "encoder": {"name": "resnet18"}, "epochs": 2}


def alive(services: Services, name: str, memory: float | None, device: str = "cpu", model: str = "A processor, 4 threads") -> None:
    with services.database.write() as session:
        size = None if memory is None else round(memory * GB)
        workers.seen(session, name, host="h", pid=1, device=device, slots={}, device_name=model, memory_bytes=size)


class TestEstimate:
    def test_adds_up_and_makes_nothing(self, client: Client, services: Services, body: dict):
        alive(services, "w", 64)
        answer = client.post("/v1/jobs/estimate", json=body)
        assert answer.status_code == 200
        told = answer.json()
        memory = told["memory"]
        parts = ("parameters", "gradients", "optimizer", "activations", "dataset", "process")
        assert memory["total_bytes"] == sum(memory[f"{part}_bytes"] for part in parts)
        assert memory["parameters_bytes"] == pytest.approx(4 * 11.17e6, rel=0.01)
        assert (memory["dataset_bytes"], told["disk"]["cache_bytes"], memory["known"]) == (6_144_000, 6_144_000, "computed")
        assert told["spec"]["batch_size"] == 128
        assert told["time"]["seconds"] == pytest.approx(2 * told["time"]["seconds_per_epoch"])
        assert ("nothing was trained" in told["time"]["basis"], told["note"]) == (True, None)
        (worker,) = told["workers"]
        assert (worker["fits"], worker["count"], worker["needed_bytes"]) == (True, 1, memory["total_bytes"])
        assert client.get("/v1/jobs").json()["data"] == []
        assert client.get("/v1/audit", params={"action": "estimate_job"}).json()["data"] == []

    def test_grows_with_what_it_should(self, client: Client, services: Services, body: dict):
        alive(services, "w", 64)

        def activations(**more) -> int:
            return client.post("/v1/jobs/estimate", json={**body, **more}).json()["memory"]["activations_bytes"]

        base = activations()
        assert activations(batch_size=256) == pytest.approx(2 * base, rel=0.01)
        assert activations(image_size=64) == pytest.approx(4 * base, rel=0.1)
        assert activations(task={"name": "rotation", "rotations": "one"}) < 0.3 * base
        assert activations(encoder={"name": "resnet50"}) > 3 * base
        adamw = client.post("/v1/jobs/estimate", json={**body, "optimizer": {"name": "adamw"}}).json()["memory"]
        assert adamw["optimizer_bytes"] == 2 * adamw["parameters_bytes"]

    def test_is_measured_where_such_trainings_were(self, client: Client, services: Services, body: dict):
        alive(services, "w", 64)
        spec = ResolvedPretrain.model_validate(client.post("/v1/jobs/estimate", json=body).json()["spec"])
        with services.database.write() as session:
            for seconds in (10.0, 30.0):
                measurements.note(
                    session, "A processor, 4 threads", sort_of(spec), samples=2000, seconds=seconds, memory_bytes=3 * GB
                )
        told = client.post("/v1/jobs/estimate", json=body).json()
        assert (told["memory"]["known"], told["memory"]["total_bytes"]) == ("measured", 3 * GB + 6_144_000)
        time = told["time"]
        assert (time["known"], time["samples_per_second"], time["basis"]) == (
            "measured",
            100.0,
            "2 trainings of this sort on this device",
        )
        other = client.post("/v1/jobs/estimate", json={**body, "batch_size": 64}).json()
        assert (other["memory"]["known"], other["time"]["known"]) == ("computed", "computed")
        assert other["time"]["samples_per_second"] == pytest.approx(100, rel=0.01)
        wider = client.post("/v1/jobs/estimate", json={**body, "image_size": 64}).json()
        assert wider["time"]["samples_per_second"] == pytest.approx(25, rel=0.1)

    def test_the_best_worker_comes_first(self, client: Client, services: Services, body: dict):
        alive(services, "a", 64)
        alive(services, "b", 80, "cuda", "A GPU")
        alive(services, "c", 80, "cuda", "A GPU")
        alive(services, "d", 0.7, "cuda", "A small GPU")
        told = client.post("/v1/jobs/estimate", json=body).json()
        assert [(one["device_name"], one["count"], one["fits"]) for one in told["workers"]] == [
            ("A GPU", 2, True),
            ("A small GPU", 1, False),
        ]  # the device is pinned to cuda, as it would be
        told = client.post("/v1/jobs/estimate", json={**body, "device": "cpu"}).json()
        assert [one["device_name"] for one in told["workers"]] == ["A processor, 4 threads"]

    def test_without_a_worker_it_says_so(self, client: Client, body: dict):
        told = client.post("/v1/jobs/estimate", json=body).json()
        assert (told["workers"], told["largest_batch_size"], told["time"]["known"]) == ([], None, "computed")
        assert "no worker is alive" in told["note"]

    def test_other_kinds_are_not_estimated_and_bad_ones_refused(self, client: Client, services: Services, body: dict):
        with services.database.write() as session:
            model_id = factories.model(session).id
        told = client.post("/v1/jobs/estimate", json={"kind": "export", "model_id": model_id}).json()
        assert (told["memory"], told["time"], "not estimated" in told["note"]) == (None, None, True)
        answer = client.post("/v1/jobs/estimate", json={**body, "batch_size": 5000})
        assert (answer.status_code, answer.json()["param"]) == (422, "batch_size")
        assert client.post("/v1/jobs/estimate", json={**body, "dataset_id": "ds_no"}).status_code == 404


class TestShortMemory:
    def test_is_refused_with_the_batch_that_fits(self, client: Client, services: Services, body: dict):
        alive(services, "w", 2)
        asked = {**body, "batch_size": 1024}
        answer = client.post("/v1/jobs", json=asked)
        told = answer.json()
        assert (answer.status_code, told["code"], told["param"]) == (422, "insufficient_memory", "batch_size")
        fits = client.post("/v1/jobs/estimate", json=asked).json()["largest_batch_size"]
        assert f"a `batch_size` of up to {fits:,} fits" in told["detail"]
        assert client.post("/v1/jobs", json={**body, "batch_size": fits + 1}).status_code == 201  # estimates err
        assert client.post("/v1/jobs", json={**body, "batch_size": 3 * fits}).status_code == 422
        job = client.post("/v1/jobs", json={**body, "batch_size": fits}).json()
        assert job["memory_bytes"] <= 2 * GB
        assert client.post("/v1/jobs", json={**asked, "check_memory": False}).status_code == 201

    def test_may_leave_room_for_no_batch(self, client: Client, services: Services, body: dict):
        alive(services, "w", 0.1)
        assert "not even two samples fit" in client.post("/v1/jobs", json=body).json()["detail"]

    def test_one_that_has_enough_is_enough_and_nobody_knows_without_any(self, client: Client, services: Services, body: dict):
        assert client.post("/v1/jobs", json={**body, "batch_size": 2000}).status_code == 201
        alive(services, "w", 1)
        assert client.post("/v1/jobs", json={**body, "batch_size": 2000}).status_code == 422
        alive(services, "unknown", None)
        assert client.post("/v1/jobs", json={**body, "batch_size": 2000}).status_code == 201

    def test_the_estimate_is_kept_with_the_job(self, client: Client, services: Services, body: dict):
        alive(services, "w", 64)
        needed = client.post("/v1/jobs/estimate", json=body).json()["memory"]["total_bytes"]
        job_id = client.post("/v1/jobs", json=body).json()["id"]
        with services.database.read() as session:
            assert jobs.get(session, job_id).memory_bytes == needed
