"""Encoders of one's own: uploaded, started from, deleted."""

import json
import socket
import time
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from httpx import Client
from safetensors.numpy import save

from api.services import Services
from records.queries import jobs, leases
from records.queries.leases import Lease
from records.states import JobState
from tests import factories
from tests.api.conftest import KEY

WEIGHTS = save({"stage1.0.weight": np.zeros((32, 3, 3, 3), np.float32)})
FIELDS = {"encoder": "tiny", "image_size": "32"}


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class TestUpload:
    def test_makes_a_model_of_ones_own(self, client: Client, stored: Path):
        form = {**FIELDS, "name": "mine", "metadata": '{"place": "Oslo"}'}
        answer = client.post("/v1/models", data=form, files={"file": ("my.safetensors", WEIGHTS)})
        assert answer.status_code == 201
        model = answer.json()
        assert answer.headers["Location"] == f"/v1/models/{model['id']}"
        assert (model["task"], model["job_id"], model["dataset_id"], model["name"]) == ("imported", None, None, "mine")
        assert (model["encoder"], model["features"], model["image_size"]) == ({"name": "tiny", "stem": "standard"}, 128, 32)
        assert model["metadata"] == {"place": "Oslo"}
        assert client.get(answer.headers["Location"]).json() == model
        assert client.get("/v1/models", params={"task": "imported"}).json()["data"] == [model]
        config, weights = model["files"]
        assert (config["name"], weights["name"]) == ("config.json", "encoder.safetensors")
        assert client.get(weights["url"]).content == WEIGHTS
        assert weights["sha256"] == sha256(WEIGHTS).hexdigest()
        assert client.get(config["url"]).json() == {name: model[name] for name in ("encoder", "features", "image_size")}
        assert len(files_in(stored)) == 2

    def test_is_called_by_its_encoder_and_file_if_it_has_no_name(self, client: Client):
        form = {"encoder": "resnet18", "stem": "small", "image_size": "32"}
        model = client.post("/v1/models", data=form, files={"file": ("my.safetensors", WEIGHTS)}).json()
        assert (model["name"], model["encoder"]["stem"]) == ("resnet18 from my.safetensors", "small")

    @pytest.mark.parametrize("encoder", ["r3d_18", "s3d", "tiny3d"])
    def test_may_be_of_videos(self, client: Client, encoder: str):
        form = {"encoder": encoder, "image_size": "112"}
        model = client.post("/v1/models", data=form, files={"file": ("my.safetensors", WEIGHTS)}).json()
        assert model["encoder"] == {"name": encoder, "stem": "standard"}
        refused = client.post("/v1/models", data={**form, "image_size": "12"}, files={"file": ("my.safetensors", WEIGHTS)})
        assert (refused.status_code, refused.json()["param"]) == (422, "image_size")

    def test_the_same_idempotency_key_makes_one_model(self, client: Client, stored: Path):
        headers = {"Idempotency-Key": "once"}
        first = client.post("/v1/models", data=FIELDS, files={"file": WEIGHTS}, headers=headers).json()
        again = client.post("/v1/models", data=FIELDS, files={"file": WEIGHTS}, headers=headers)
        assert (again.status_code, again.json()["id"]) == (201, first["id"])
        other = client.post("/v1/models", data=FIELDS, files={"file": save({"a": np.zeros(1)})}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len(files_in(stored)) == 2

    @pytest.mark.parametrize(
        ("change", "param", "says"),
        [
            ({"encoder": None}, "encoder", "is required"),
            ({"image_size": None}, "image_size", "is required"),
            ({"encoder": "resnet19"}, "encoder", "resnet18"),
            ({"image_size": "large"}, "image_size", "'large'"),
            ({"image_size": "9999"}, "image_size", "less than or equal to 512"),
            ({"stem": "big"}, "stem", "'standard' or 'small'"),
            ({"stem": "small"}, "stem", "no small-image stem"),
            ({"encoder": "vit_b_16", "image_size": "30"}, "image_size", "at least 32 px"),
            ({"encoder": "vit_b_16", "image_size": "40"}, "image_size", "a multiple of 16 px"),
            ({"metadata": "[1]"}, "metadata", "JSON object of texts"),
            ({"name": "x" * 201}, "name", "at most 200 characters"),
        ],
    )
    def test_an_impossible_field_is_refused_by_name(self, client: Client, stored: Path, change: dict, param: str, says: str):
        form = {name: value for name, value in {**FIELDS, **change}.items() if value is not None}
        answer = client.post("/v1/models", data=form, files={"file": WEIGHTS})
        assert (answer.status_code, answer.json()["param"]) == (422, param)
        assert says in answer.json()["detail"]
        assert files_in(stored) == []

    @pytest.mark.parametrize(
        ("content", "says"),
        [(b"PK\x03\x04" + bytes(100), "safetensors.torch.save_file"), (WEIGHTS[:-1], "end may be missing"), (b"", "empty")],
    )
    def test_what_is_no_safetensors_is_refused_and_leaves_nothing(self, client: Client, stored: Path, content: bytes, says: str):
        answer = client.post("/v1/models", data=FIELDS, files={"file": content})
        assert (answer.status_code, answer.json()["param"]) == (422, "file")
        assert says in answer.json()["detail"]
        assert files_in(stored) == []
        assert client.get("/v1/models").json()["data"] == []

    def test_what_is_no_form_is_told_how_to_be_one(self, client: Client):
        answer = client.post("/v1/models", content=WEIGHTS)
        assert (answer.status_code, answer.json()["param"]) == (422, "file")
        assert "file=@encoder.safetensors" in answer.json()["detail"]

    def test_too_large_and_no_room(self, client: Client, services: Services, stored: Path):
        services.settings.max_upload_bytes = 1000
        answer = client.post("/v1/models", data=FIELDS, files={"file": WEIGHTS})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        services.settings.min_free_bytes = 1 << 60
        answer = client.post("/v1/models", data=FIELDS, files={"file": b"x"})
        assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
        assert files_in(stored) == []

    def test_one_that_breaks_off_leaves_nothing_and_is_no_defect(
        self, client: Client, address: str, stored: Path, caplog: pytest.LogCaptureFixture
    ):
        caplog.set_level("INFO")
        parts = urlsplit(address)
        head = f"POST /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 9000000\r\n"
        head += "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall((head + part).encode() + b"x" * 3_000_000)
        deadline = time.monotonic() + 10
        while "POST /v1/models broke off" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "defect" not in caplog.text
        assert files_in(stored) == []


@pytest.fixture
def dataset_id(services: Services) -> str:
    with services.database.write() as session:
        return factories.dataset(session, images=2000, median_side=32).id


@pytest.fixture
def start(client: Client, services: Services, dataset_id: str):
    """Asks for a job that starts from a model with an encoder."""

    def start(model: dict | str, **asked: object):
        if isinstance(model, dict):
            with services.database.write() as session:
                model = factories.model(session, **model).id
        return client.post("/v1/jobs", json={"dataset_id": dataset_id, "task": {"name": "rotation"}, "init_from": model, **asked})

    return start


class TestStart:
    @pytest.mark.parametrize(
        "asked",
        [
            {},
            {"encoder": {"name": "resnet18"}},
            {"encoder": {"stem": "standard"}},
            {"encoder": {"name": "resnet18", "stem": "auto"}},
        ],
    )
    def test_what_is_open_is_as_the_model_has_it(self, start, asked: dict):
        answer = start({"encoder": {"name": "resnet18", "stem": "standard"}}, **asked)
        assert answer.status_code == 201
        spec = answer.json()["spec"]
        assert spec["encoder"] == {"name": "resnet18", "stem": "standard"}  # for images of 32 px it would be the small stem
        assert spec["init_from"].startswith("model_")

    @pytest.mark.parametrize("encoder", [{"name": "tiny"}, {"name": "resnet18", "stem": "small"}, {"stem": "small"}])
    def test_another_encoder_is_refused_and_told_which_it_is(self, start, encoder: dict):
        answer = start({"encoder": {"name": "resnet18", "stem": "standard"}}, encoder=encoder)
        assert (answer.status_code, answer.json()["param"]) == (422, "init_from")
        assert "is a resnet18 with the standard stem" in answer.json()["detail"]

    def test_a_transformer_keeps_the_size_that_its_weights_are_for(self, start):
        vit = {"encoder": {"name": "vit_b_16", "stem": "standard"}, "image_size": 224}
        assert start(vit).json()["spec"]["image_size"] == 224
        assert start(vit, image_size=224).status_code == 201
        other = start(vit, image_size=96)
        assert (other.status_code, other.json()["param"]) == (422, "image_size")
        assert "are for images of 224 px" in other.json()["detail"]
        assert start({}).json()["spec"]["image_size"] == 32

    def test_an_unknown_model_is_not_found(self, start):
        answer = start("model_nowhere")
        assert (answer.status_code, answer.json()["param"]) == (404, "init_from")
        assert "there is no model 'model_nowhere'" in answer.json()["detail"]

    def test_without_one_nothing_changes(self, client: Client, dataset_id: str):
        job = client.post("/v1/jobs", json={"dataset_id": dataset_id, "task": {"name": "rotation"}}).json()
        assert (job["spec"]["init_from"], job["spec"]["encoder"]["name"]) == (None, "resnet18")


class TestDelete:
    def test_frees_the_bytes(self, client: Client, stored: Path):
        model = client.post("/v1/models", data=FIELDS, files={"file": WEIGHTS}).json()
        assert client.delete(f"/v1/models/{model['id']}").status_code == 204
        assert client.get(f"/v1/models/{model['id']}").status_code == 404
        assert client.delete(f"/v1/models/{model['id']}").status_code == 404
        assert files_in(stored) == []

    def test_is_refused_while_a_job_starts_from_it(self, client: Client, services: Services, start):
        job = start({}).json()
        model_id = job["spec"]["init_from"]
        for state in (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED):
            with services.database.write() as session:
                jobs.get(session, job["id"]).state = state
            answer = client.delete(f"/v1/models/{model_id}")
            assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
            assert job["id"] in answer.json()["detail"]
        with services.database.write() as session:
            jobs.get(session, job["id"]).state = JobState.QUEUED
            session.flush()
            leases.claim(session, job["id"], "w", 10)
            leases.end(session, leases.hold(session, Lease(job["id"], 1)), JobState.SUCCEEDED)
        assert client.delete(f"/v1/models/{model_id}").status_code == 204
        assert json.loads(client.get(f"/v1/jobs/{job['id']}").text)["spec"]["init_from"] == model_id
