"""The examples of the API's document, each run by a shell against a real server with real records."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pretext_client import Pretext

from api.app import create_app
from api.document import calls
from launcher.server import Server
from launcher.shapes import generate, write_zip
from records.settings import Settings
from tests import factories

IN_ORDER = ["pause_job", "resume_job", "cancel_job", "retry_job", "append", "delete_upload"]
"""Of one thing, one after the other."""
LAST = ["delete_labels", "delete_alias", "delete_embedding", "delete_evaluation", "delete_model", "delete_dataset"]
"""When nothing else needs it any more."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    settings = Settings(data_dir=folder / "data", port=0, device="cpu", embed_threads=1)
    with Server(settings, logs=folder / "logs") as server:
        yield server


@pytest.fixture(scope="module")
def variables(server: Server, folder: Path) -> dict[str, str]:
    """What the examples are run with: a server with one of each thing, and the files that they send."""
    images, kinds, _ = generate(count=48, seed=0, size=32)
    names = [f"{kind}/{number}.png" for number, kind in enumerate(kinds)]
    write_zip(folder / "pictures.zip", images, names)
    (folder / "labels.csv").write_text(f"file,label\n{names[0]},thing\n")
    (folder / "part").write_bytes(b"twelve bytes")
    for name in ("cat.jpg", "dog.jpg"):
        (folder / name).write_bytes(factories.png())
    with Pretext(server.url, server.key) as pretext:
        dataset = pretext.datasets.wait(pretext.datasets.upload(folder / "pictures.zip").id)
        spec = {"task": "rotation", "encoder": "tiny", "steps": 2, "batch_size": 8, "formats": []}
        trained = pretext.jobs.wait(pretext.jobs.create(dataset.id, **spec).id, check=True)
        assert trained.model_id is not None
        evaluated = pretext.jobs.wait(pretext.jobs.evaluate(trained.model_id, dataset.id, protocols=["knn"]).id, check=True)
        embedded = pretext.jobs.wait(pretext.jobs.embed(trained.model_id, dataset.id).id, check=True)
        pretext.models.download(trained.model_id, folder / "bundle")
        member = pretext.members.create("Grace", role="write")
        webhook = pretext.webhooks.create("https://example.com/pretext", ["job.*"])
        ids = {
            "WEBHOOK_ID": webhook.id,
            "DELIVERY_ID": pretext.webhooks.test(webhook.id).id,
            "DATASET_ID": dataset.id,
            "ALIAS": "production",
            "JOB_ID": trained.id,
            "MODEL_ID": trained.model_id,
            "EVALUATION_ID": str(evaluated.evaluation_id),
            "EMBEDDING_ID": str(embedded.embedding_id),
            "MEMBER_ID": member.id,
            "PROJECT_ID": pretext.projects.create("examples").id,
            "KEY_ID": pretext.keys.create("to read", scope="read").id,
            # A GPU is what the worker here has not, so this job waits.
            "WAITING": pretext.jobs.create(dataset.id, device="cuda", **spec).id,
        }
    shutil.copy(folder / "bundle" / "encoder.safetensors", folder)
    alias = f"{server.url}/v1/models/aliases/{ids['ALIAS']}"
    httpx.put(alias, json={"model_id": ids["MODEL_ID"]}, headers={"Authorization": f"Bearer {server.key}"}).raise_for_status()
    headers = {"Authorization": f"Bearer {server.key}", "Tus-Resumable": "1.0.0", "Upload-Length": "12"}
    made = httpx.post(f"{server.url}/v1/uploads", headers=headers)
    return {**ids, "UPLOAD_ID": made.headers["Location"].rpartition("/")[2], "API": f"{server.url}/v1", "KEY": server.key}


def place(name: str) -> tuple[int, int]:
    """When an example is run."""
    for order, names in ((1, IN_ORDER), (2, LAST)):
        if name in names:
            return order, names.index(name)
    return (2, -1) if name.startswith(("delete_", "revoke_")) else (0, 0)


def end_all(variables: dict[str, str]) -> None:
    """Of the jobs that the examples have made."""
    with Pretext(variables["API"].removesuffix("/v1"), variables["KEY"]) as pretext:
        for job in pretext.jobs.list():
            if job.finished_at is None:
                pretext.jobs.cancel(job.id)
                pretext.jobs.wait(job.id)


@pytest.mark.timeout(180)  # a whole server, a training, an evaluation and embeddings come first
class TestExamples:
    def test_each_call_has_one_that_works(self, tmp_path: Path, folder: Path, variables: dict[str, str]):
        document = create_app(Settings(data_dir=tmp_path)).openapi()
        found = sorted(calls(document), key=lambda call: place(call[2]["operationId"]))
        assert len(found) > 50
        trouble = []
        for _, _, call in found:
            (sample,) = call["x-codeSamples"]
            assert sample["source"] in call["description"]
            if call["operationId"] == LAST[0]:
                end_all(variables)
            own = {"JOB_ID": variables["WAITING"]} if call["operationId"] in IN_ORDER else {}
            done = subprocess.run(
                ["bash", "-euc", sample["source"].replace("curl ", "curl -sS --fail-with-body ", 1)],
                cwd=folder,
                env={**os.environ, **variables, **own},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                trouble.append(f"{call['operationId']}: {sample['source']}\n{done.stdout}{done.stderr}")
        assert not trouble, "\n\n".join(trouble)
