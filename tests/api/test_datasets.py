import io
import json
import socket
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from httpx import Client
from PIL import Image

from api.services import Services
from records.models import Dataset
from records.queries import datasets, jobs
from tests import factories
from tests.api.conftest import KEY
from tests.api.tus import begun, send


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class TestUpload:
    def test_stores_the_bytes_and_queues_the_ingest(self, client: Client, services: Services, stored: Path):
        content = bytes(range(256)) * 10_000
        form = {"name": "mine", "metadata": '{"place": "Oslo"}'}
        answer = client.post("/v1/datasets", data=form, files={"file": ("pictures.zip", content)})
        assert answer.status_code == 201
        dataset = answer.json()
        assert (dataset["state"], dataset["name"], dataset["filename"]) == ("ingesting", "mine", "pictures.zip")
        assert (dataset["bytes"], dataset["metadata"]) == (len(content), {"place": "Oslo"})
        (blob,) = files_in(stored)
        assert blob.read_bytes() == content
        with services.database.read() as session:
            job = jobs.get(session, dataset["job_id"])
            assert (job.kind, job.state, job.dataset_id) == ("ingest", "queued", dataset["id"])
        assert client.get(f"/v1/jobs/{job.id}").json()["spec"] == {"filename": "pictures.zip", "base_dataset_id": None}

    def test_the_same_idempotency_key_makes_one_dataset(self, client: Client, stored: Path):
        headers = {"Idempotency-Key": "once"}
        first = client.post("/v1/datasets", files={"file": ("a.zip", b"content")}, headers=headers).json()
        again = client.post("/v1/datasets", files={"file": ("a.zip", b"content")}, headers=headers)
        assert (again.status_code, again.json()["id"]) == (201, first["id"])
        other = client.post("/v1/datasets", files={"file": ("a.zip", b"different")}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len(files_in(stored)) == 1

    @pytest.mark.parametrize(
        ("form", "status", "says"),
        [
            ({"data": {"name": "x"}, "files": {"other": b"x"}}, 422, "no part `file`"),
            ({"files": {"file": b""}}, 422, "empty"),
            ({"content": b"x", "headers": {"Content-Type": "application/zip"}}, 422, "multipart/form-data"),
            ({"files": [("file", b"x"), ("file", b"y")]}, 422, "one archive"),
            ({"data": {"metadata": "[1]"}, "files": {"file": b"x"}}, 422, "JSON object of texts"),
            ({"data": {"name": "x" * 100_000}, "files": {"file": b"x"}}, 422, "longer than"),
            ({"content": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 422, "not a multipart form"),
            ({"content": b"--b\r\nhalf", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 422, "send it again"),
        ],
    )
    def test_what_is_no_upload_is_refused_and_leaves_nothing(
        self, client: Client, stored: Path, form: dict, status: int, says: str
    ):
        answer = client.post("/v1/datasets", **form)
        assert answer.status_code == status
        assert says in answer.json()["detail"]
        assert files_in(stored) == []
        assert client.get("/v1/datasets").json()["data"] == []

    def test_too_large_is_refused_before_and_while_it_comes(self, client: Client, services: Services, stored: Path):
        services.settings.max_upload_bytes = 1000
        announced = client.post("/v1/datasets", files={"file": b"x" * 3_000_000})
        assert (announced.status_code, announced.json()["code"]) == (413, "too_large")
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 2000 + b"\r\n--b--\r\n"
        chunked = client.post("/v1/datasets", content=iter([body]), headers={"Content-Type": "multipart/form-data; boundary=b"})
        assert (chunked.status_code, chunked.json()["code"]) == (413, "too_large")
        assert files_in(stored) == []

    def test_a_disk_without_room_is_told_before_the_upload(self, client: Client, services: Services):
        services.settings.min_free_bytes = 1 << 60
        answer = client.post("/v1/datasets", files={"file": b"x"})
        assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")

    def test_an_upload_that_breaks_off_leaves_nothing(self, client: Client, address: str, stored: Path):
        parts = urlsplit(address)
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            head = f"POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 9000000\r\n"
            head += "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            connection.sendall((head + part).encode() + b"x" * 3_000_000)
        assert client.get("/v1/datasets").json()["data"] == []
        for _ in range(200):
            if not files_in(stored):
                break
        assert files_in(stored) == []


@pytest.fixture
def ready(services: Services, tmp_path: Path) -> str:
    """A dataset of five pictures in two shards."""
    shards = []
    for number, rows in enumerate([range(3), range(3, 5)]):
        table = pa.table(
            {
                "image": [{"bytes": factories.png(20 + row, row), "path": f"cats/{row}.png"} for row in rows],
                "label": [row % 2 for row in rows],
                "width": pa.array([20 + row for row in rows], pa.int32()),
                "height": pa.array([20 + row for row in rows], pa.int32()),
            }
        )
        path = tmp_path / f"{number}.parquet"
        pq.write_table(table, path, row_group_size=2)
        services.blobs.put(f"datasets/x/shard-{number}", path)
        shards.append({"key": f"datasets/x/shard-{number}", "rows": len(rows), "bytes": 1, "sha256": ""})
    with services.blobs.writer("datasets/x/refused.jsonl") as writer:
        for number in range(3):
            writer.write(json.dumps({"name": f"{number}.txt", "code": "not_an_image", "reason": "text"}).encode() + b"\n")
    with services.database.write() as session:
        return factories.dataset(
            session,
            shards=shards,
            images=5,
            refused=3,
            labels=["cat", "dog"],
            report={"images": 5},
            refused_key="datasets/x/refused.jsonl",
        ).id


class TestSamples:
    def test_come_in_pages_across_shards(self, client: Client, ready: str):
        first = client.get(f"/v1/datasets/{ready}/samples", params={"limit": 4}).json()
        assert first["has_more"]
        assert [(sample["index"], sample["path"], sample["label"]) for sample in first["data"]] == [
            (0, "cats/0.png", "cat"),
            (1, "cats/1.png", "dog"),
            (2, "cats/2.png", "cat"),
            (3, "cats/3.png", "dog"),
        ]
        rest = client.get(f"/v1/datasets/{ready}/samples", params={"after": 3}).json()
        assert [(sample["index"], sample["width"]) for sample in rest["data"]] == [(4, 24)]
        assert not rest["has_more"]

    @pytest.mark.parametrize("kind", ["png", "webp"])
    def test_thumbnails_are_pictures(self, client: Client, ready: str, kind: str):
        sample = client.get(f"/v1/datasets/{ready}/samples", params={"after": 2}).json()["data"][0]
        answer = client.get(sample["thumbnail_url"], params={"format": kind, "size": 16})
        assert answer.headers["Content-Type"] == f"image/{kind}"
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert (picture.format, picture.size) == (kind.upper(), (16, 16))

    def test_one_behind_the_end_is_not_found(self, client: Client, ready: str):
        answer = client.get(f"/v1/datasets/{ready}/samples/5/thumbnail")
        assert answer.status_code == 404
        assert "has 5 samples" in answer.json()["detail"]


class TestReport:
    def test_pages_through_the_refused(self, client: Client, ready: str):
        first = client.get(f"/v1/datasets/{ready}/report", params={"limit": 2}).json()
        assert (first["report"], first["refused"]["has_more"]) == ({"images": 5}, True)
        rest = client.get(f"/v1/datasets/{ready}/report", params={"after": 2}).json()["refused"]
        assert ([member["name"] for member in rest["data"]], rest["has_more"]) == (["2.txt"], False)

    def test_there_is_none_while_it_is_made(self, client: Client, services: Services):
        with services.database.write() as session:
            dataset_id = factories.dataset(session, state="ingesting").id
        assert client.get(f"/v1/datasets/{dataset_id}/report").status_code == 409


class TestFiles:
    """An upload that leaves out files which an earlier dataset has."""

    LEFT_OUT: ClassVar = {"files": {"file": ("a.tar", b"archive")}}

    def test_are_listed_a_line_each(self, client: Client, services: Services, ready: str):
        assert client.get(f"/v1/datasets/{ready}/files").content == b""  # older than the lists
        lines = b'{"path": "a.png", "bytes": 3, "sha256": "00", "sample": 0}\n' * 10_000
        with services.blobs.writer("datasets/x/files.jsonl") as writer:
            writer.write(lines)
        with services.database.write() as session:
            datasets.get(session, ready).files_key = "datasets/x/files.jsonl"
        answer = client.get(f"/v1/datasets/{ready}/files")
        assert answer.headers["content-type"].startswith("text/x-ndjson")
        assert answer.content == lines

    def test_a_dataset_stays_while_an_upload_takes_files_from_it(self, client: Client, ready: str):
        made = client.post("/v1/datasets", **self.LEFT_OUT, data={"base_dataset_id": ready})
        assert (made.status_code, made.json()["base_dataset_id"]) == (201, ready)
        job_id = made.json()["job_id"]
        assert client.get(f"/v1/jobs/{job_id}").json()["spec"] == {"filename": "a.tar", "base_dataset_id": ready}
        refused = client.delete(f"/v1/datasets/{ready}")
        assert (refused.status_code, job_id in refused.json()["detail"]) == (409, True)
        client.post(f"/v1/jobs/{job_id}/cancel")
        assert client.delete(f"/v1/datasets/{ready}").status_code == 204
        again = client.post(f"/v1/jobs/{job_id}/retry")
        assert again.status_code == 409
        assert "upload everything again" in again.json()["detail"]
        assert client.get(f"/v1/datasets/{made.json()['id']}").json()["state"] == "failed"

    def test_one_that_cannot_be_used_is_named(self, client: Client, services: Services, stored: Path):
        with services.database.write() as session:
            ingesting = factories.dataset(session, state="ingesting").id
        for base, status in (("ds_nothing", 404), (ingesting, 409)):
            answer = client.post("/v1/datasets", **self.LEFT_OUT, data={"base_dataset_id": base})
            assert (answer.status_code, answer.json()["param"]) == (status, "base_dataset_id")
        assert files_in(stored) == []

    def test_of_a_resumable_upload(self, client: Client, ready: str):
        location = begun(client, 7)
        send(client, location, 0, b"archive")
        body = {"upload_id": location.rpartition("/")[2], "base_dataset_id": "ds_nothing"}
        answer = client.post("/v1/datasets", json=body)
        assert (answer.status_code, answer.json()["param"]) == (404, "base_dataset_id")
        keyed = {"Idempotency-Key": "one"}
        made = client.post("/v1/datasets", json={**body, "base_dataset_id": ready}, headers=keyed)
        assert (made.status_code, made.json()["base_dataset_id"]) == (201, ready)
        assert client.post("/v1/datasets", json={**body, "base_dataset_id": ready}, headers=keyed).json() == made.json()
        other = client.post("/v1/datasets", json=body, headers=keyed)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    def test_what_is_taken_counts_to_the_quota(self, client: Client, services: Services, ready: str):
        with services.database.write() as session:
            dataset = datasets.get(session, ready)
            dataset.shards = [{**shard, "bytes": 1000} for shard in dataset.shards or []]
        assert client.patch("/v1/projects/proj_default", json={"most_bytes": 3500}).status_code == 200
        answer = client.post("/v1/datasets", **self.LEFT_OUT, data={"base_dataset_id": ready})
        assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")
        client.patch("/v1/projects/proj_default", json={"most_bytes": 4100})
        assert client.post("/v1/datasets", **self.LEFT_OUT, data={"base_dataset_id": ready}).status_code == 201


class TestDelete:
    def test_frees_the_bytes(self, client: Client, stored: Path):
        dataset = client.post("/v1/datasets", files={"file": b"content"}).json()
        refused = client.delete(f"/v1/datasets/{dataset['id']}")
        assert refused.status_code == 409
        assert dataset["job_id"] in refused.json()["detail"]
        client.post(f"/v1/jobs/{dataset['job_id']}/cancel")
        assert client.delete(f"/v1/datasets/{dataset['id']}").status_code == 204
        assert files_in(stored) == []
        assert client.get(f"/v1/datasets/{dataset['id']}").status_code == 404
        assert client.get(f"/v1/jobs/{dataset['job_id']}").json()["dataset_id"] is None


class TestList:
    def test_filters_by_state(self, client: Client, services: Services):
        with services.database.write() as session:
            made: Dataset = factories.dataset(session, state="failed", error={"code": "no_usable_image", "message": "none"})
            factories.dataset(session)
        (found,) = client.get("/v1/datasets", params={"state": "failed"}).json()["data"]
        assert (found["id"], found["error"]["code"]) == (made.id, "no_usable_image")
