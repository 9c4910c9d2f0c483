import json

import pytest
from pretext_client import Conflict, InvalidRequest, TransferFailed

from tests.client.faults import JOB, answer, hang_up, problem
from tests.client.test_client_download import model
from tests.client.test_client_upload import parsed

POST = ("POST", "/v1/models")


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "my.safetensors"
    path.write_bytes(b"weights")
    return path


class TestUpload:
    def test_sends_the_fields_and_the_file(self, script, client, weights):
        script.on(*POST, answer(model(), 201))
        made = client.models.upload(weights, encoder="resnet18", stem="small", image_size=32, name="mine", metadata={"a": "b"})
        assert made.id == "model_1"
        fields = {"encoder": "resnet18", "stem": "small", "image_size": "32", "name": "mine", "metadata": '{"a": "b"}'}
        assert parsed(script.seen[0]) == {**fields, "file": ("my.safetensors", b"weights")}

    def test_is_carried_out_once_however_often_it_is_sent(self, script, client, weights):
        script.on(*POST, hang_up, problem(503), answer(model(), 201))
        client.models.upload(weights, encoder="tiny", image_size=32)
        assert len({one.headers["idempotency-key"] for one in script.seen}) == 1
        assert len(script.seen) == 3

    def test_what_the_server_refuses_is_told(self, script, client, weights):
        script.on(*POST, problem(422, detail="the file is not safetensors", param="file"))
        with pytest.raises(InvalidRequest, match="not safetensors"):
            client.models.upload(weights, encoder="tiny", image_size=32)

    def test_what_is_no_file_is_not_sent(self, script, client, tmp_path):
        (tmp_path / "empty").touch()
        for name, says in (("none", "No such file"), ("empty", "is empty"), (".", "is a folder")):
            with pytest.raises(TransferFailed, match=says):
                client.models.upload(tmp_path / name, encoder="tiny", image_size=32)
        assert script.seen == []


class TestDelete:
    def test_is_refused_while_a_job_starts_from_it(self, script, client):
        script.on("DELETE", "/v1/models/model_1", answer(b"", 204))
        client.models.delete("model_1")
        script.on("DELETE", "/v1/models/model_1", problem(409, detail="jobs start from this model (job_1)"))
        with pytest.raises(Conflict, match="job_1"):
            client.models.delete("model_1")


class TestExport:
    def test_asks_for_a_job(self, script, client):
        script.on("POST", "/v1/jobs", hang_up, answer({**JOB, "kind": "export"}, 201))
        job = client.models.export("model_1", stage="best", formats=("onnx",), metadata={"a": "b"})
        assert job.kind == "export"
        asked = {"kind": "export", "model_id": "model_1", "stage": "best", "formats": ["onnx"], "metadata": {"a": "b"}}
        assert [json.loads(one.body) for one in script.seen] == [asked, asked]
        assert len({one.headers["idempotency-key"] for one in script.seen}) == 1

    def test_leaves_open_what_is_not_said(self, script, client):
        script.on("POST", "/v1/jobs", answer({**JOB, "kind": "export"}, 201))
        client.models.export("model_1")
        assert json.loads(script.seen[0].body) == {"kind": "export", "model_id": "model_1", "stage": None}
