"""The main job by a client that a public generator made of the OpenAPI document."""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from safetensors.numpy import load_file

from launcher.server import Server
from launcher.shapes import generate, write_zip
from records.settings import Settings

SETTINGS = {
    "post_hooks": [],
    # Bytes by other names: parts of files and pictures.
    "content_type_overrides": {
        "application/offset+octet-stream": "application/octet-stream",
        "image/png": "application/octet-stream",
        "image/webp": "application/octet-stream",
        "text/csv": "application/octet-stream",
    },
}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes the client of a document."""

    def make(document: bytes) -> ModuleType:
        (tmp_path / "openapi.json").write_bytes(document)
        (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
        command = [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--path", str(tmp_path / "openapi.json")),
            *("--output-path", str(tmp_path / "made" / "generated"), "--meta", "none"),
            *("--config", str(tmp_path / "settings.json"), "--fail-on-warning"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        monkeypatch.syspath_prepend(str(tmp_path / "made"))
        return importlib.import_module("generated")

    return make


@pytest.mark.timeout(120)  # a whole server
def test_uploads_trains_and_downloads(tmp_path: Path, made):
    images, _, _ = generate(count=64, seed=0, size=32)
    write_zip(tmp_path / "shapes.zip", images)
    with Server(Settings(data_dir=tmp_path / "data", port=0, device="cpu", warm=False), logs=tmp_path) as server:
        client = made(httpx.get(f"{server.url}/openapi.json").content).AuthenticatedClient(server.url, server.key)
        body = _module("models").CreateDatasetFilesBody
        with (tmp_path / "shapes.zip").open("rb") as file:
            sent = body(file=_module("types").File(payload=file, file_name="shapes.zip"))
            dataset = _module("api.datasets.create_dataset").sync(client=client, body=sent)
        while dataset.state == "ingesting":
            time.sleep(0.1)
            dataset = _module("api.datasets.read_dataset").sync(dataset.id, client=client)
        assert (dataset.state, dataset.images) == ("ready", 64)
        asked = {"dataset_id": dataset.id, "task": {"name": "rotation"}, "encoder": {"name": "tiny"}, "steps": 3, "batch_size": 8}
        job = _module("api.jobs.create_job").sync(
            client=client, body=_module("models").PretrainRequest.from_dict({**asked, "formats": []})
        )
        while job.finished_at is None:
            time.sleep(0.1)
            job = _module("api.jobs.read_job").sync(job.id, client=client)
        assert (job.state, job.error) == ("succeeded", None)
        assert job.spec.task.name == "rotation"
        told = _module("api.jobs.list_metrics").sync(job.id, client=client)
        assert told.data[-1].step == 3
        answer = _module("api.models.download_file").sync_detailed(job.model_id, "encoder.safetensors", client=client)
        (tmp_path / "encoder.safetensors").write_bytes(answer.content)
        assert load_file(tmp_path / "encoder.safetensors")
        refused = _module("api.jobs.cancel_job").sync(job.id, client=client)
        assert (refused.status, refused.code) == (409, "conflict")
        client.get_httpx_client().close()


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"generated.{name}")
