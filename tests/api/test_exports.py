import pytest
from httpx import Client

from api.services import Services
from records.models import ModelFile
from records.queries import jobs, models
from tests import factories


@pytest.fixture
def model_id(services: Services) -> str:
    with services.database.write() as session:
        return factories.model(session).id


@pytest.fixture
def evaluated(services: Services, model_id: str):
    def add(**report: object) -> str:
        with services.database.write() as session:
            return factories.evaluation(session, model_id=model_id, report={"labels_saved": None, **report}).id

    return add


class TestAsk:
    def test_queues_a_job_without_a_dataset(self, client: Client, model_id: str):
        answer = client.post(
            "/v1/jobs", json={"kind": "export", "model_id": model_id, "stage": "stage2", "formats": ["pt2", "pt2"]}
        )
        assert answer.status_code == 201
        job = answer.json()
        assert (job["kind"], job["state"], job["dataset_id"], job["model_id"]) == ("export", "queued", None, None)
        assert job["spec"] == {"model_id": model_id, "stage": "stage2", "formats": ["pt2"], "evaluation_id": None}
        assert [one["id"] for one in client.get("/v1/jobs", params={"kind": "export"}).json()["data"]] == [job["id"]]

    def test_the_best_stage_is_that_of_the_newest_evaluation_that_knows_it(self, client: Client, model_id: str, evaluated):
        evaluated(linear={"pretrained": {"best_stage": "stage1"}})
        chosen = evaluated(knn={"pretrained": {"best_stage": "stage2"}}, linear={"pretrained": {"best_stage": "stage3"}})
        evaluated(fine_tune={})
        spec = client.post("/v1/jobs", json={"kind": "export", "model_id": model_id, "stage": "best"}).json()["spec"]
        assert (spec["stage"], spec["evaluation_id"], spec["formats"]) == ("stage3", chosen, ["onnx", "pt2"])
        newest = evaluated(knn={"pretrained": {"best_stage": "stage2"}})
        spec = client.post("/v1/jobs", json={"kind": "export", "model_id": model_id, "stage": "best"}).json()["spec"]
        assert (spec["stage"], spec["evaluation_id"]) == ("stage2", newest)

    @pytest.mark.parametrize(
        ("more", "param", "says"),
        [
            ({"stage": "best"}, "stage", "evaluate it with the protocol linear or knn first, or name a stage: stage1, stage2"),
            ({"stage": "layer3"}, "stage", "has no stage 'layer3'; choose one of stage1, stage2, stage3, stage4, or best"),
            ({"formats": ["tflite"]}, "formats.0", "must be 'onnx' or 'pt2', not 'tflite'"),
            ({"dataset_id": "ds_1"}, "dataset_id", "there is no such field"),
        ],
    )
    def test_what_cannot_be_is_refused_with_what_can(self, client: Client, model_id: str, more: dict, param: str, says: str):
        answer = client.post("/v1/jobs", json={"kind": "export", "model_id": model_id, **more})
        assert (answer.status_code, answer.json()["param"]) == (422, param)
        assert says in answer.json()["detail"]

    def test_a_model_that_ends_earlier_has_no_later_stages(self, client: Client, services: Services):
        with services.database.write() as session:
            model_id = factories.model(session, ends_at="stage2").id
        answer = client.post("/v1/jobs", json={"kind": "export", "model_id": model_id, "stage": "stage3"})
        assert "choose one of stage1, stage2, or best" in answer.json()["detail"]
        assert client.get(f"/v1/models/{model_id}").json()["ends_at"] == "stage2"

    def test_the_model_stays_until_the_export_has_ended(self, client: Client, services: Services, model_id: str):
        job_id = client.post("/v1/jobs", json={"kind": "export", "model_id": model_id}).json()["id"]
        assert client.delete(f"/v1/models/{model_id}").status_code == 409
        with services.database.write() as session:
            jobs.cancel(session, job_id)
        assert client.delete(f"/v1/models/{model_id}").status_code == 204

    def test_is_carried_out_once(self, client: Client, model_id: str):
        asked = {"kind": "export", "model_id": model_id}
        first, second = (client.post("/v1/jobs", json=asked, headers={"Idempotency-Key": "k"}).json()["id"] for _ in range(2))
        assert first == second
        other = client.post("/v1/jobs", json={**asked, "stage": "stage1"}, headers={"Idempotency-Key": "k"})
        assert other.status_code == 422

    def test_needs_a_model_that_is_there(self, client: Client):
        answer = client.post("/v1/jobs", json={"kind": "export", "model_id": "model_none"})
        assert (answer.status_code, answer.json()["param"]) == (404, "model_id")


class TestCatalogue:
    def test_tells_the_stages(self, client: Client):
        stages = {one["name"]: one["stages"] for one in client.get("/v1/encoders").json()["data"]}
        assert stages["resnet18"] == ["layer1", "layer2", "layer3", "layer4"]
        assert all(stages.values())


class TestCaching:
    def test_a_card_may_change_and_weights_may_not(self, client: Client, services: Services):
        files = [ModelFile(name=name, key=f"models/m/{name}", bytes=1, sha256="0" * 64) for name in ("README.md", "encoder.onnx")]
        for file in files:
            with services.blobs.writer(file.key) as writer:
                writer.write(b"x")
        with services.database.write() as session:
            model_id = factories.model(session, files=files).id
            assert models.get(session, model_id)
        card, weights = (client.get(f"/v1/models/{model_id}/files/{name}").headers for name in ("README.md", "encoder.onnx"))
        assert card["Cache-Control"] == "private, no-cache"
        assert "immutable" in weights["Cache-Control"]
