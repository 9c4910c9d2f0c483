import pytest
from pretext_client import InvalidRequest, Unavailable
from pretext_client.cli import app
from typer.testing import CliRunner

from tests.client.faults import DATASET, answer, problem

WEBP = b"RIFF\x00\x00\x00\x00WEBP" + bytes(100)
PATH = "/v1/datasets/ds_1/previews/rotation"


class TestPreview:
    def test_is_what_the_server_sends(self, script, client):
        script.on("GET", PATH, answer(WEBP))
        assert client.datasets.preview("ds_1", "rotation") == WEBP

    def test_is_asked_for_once_where_no_worker_is(self, script, client):
        script.on("GET", PATH, problem(503, code="unavailable", detail="no worker"))
        with pytest.raises(Unavailable, match="no worker"):
            client.datasets.preview("ds_1", "rotation")
        assert len(script.seen) == 1

    def test_a_task_that_does_not_fit_is_told(self, script, client):
        script.on("GET", PATH, problem(422, code="invalid_request", detail="of images"))
        with pytest.raises(InvalidRequest, match="of images"):
            client.datasets.preview("ds_1", "rotation")


class TestCommand:
    def test_writes_a_file(self, script, tmp_path):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("GET", PATH, answer(WEBP))
        path = tmp_path / "rotation.webp"
        command = ["datasets", "preview", "ds_1", "--task", "rotation", "-o", str(path)]
        result = CliRunner().invoke(app, ["--url", script.url, "--api-key", "k", *command])
        assert (result.exit_code, result.stdout.strip(), path.read_bytes()) == (0, str(path), WEBP)
