from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from httpx import Client

from api.services import Services
from records.queries import datasets
from tests import factories

CONTENT = b"PAR1 and so on"


@pytest.fixture
def asked(services: Services) -> dict:
    with services.database.write() as session:
        model_id, dataset_id = factories.model(session).id, factories.dataset(session, kind="image").id
    return {"kind": "embed", "model_id": model_id, "dataset_id": dataset_id}


@pytest.fixture
def embedding_id(services: Services, asked: dict) -> str:
    key = "embeddings/emb_1/embeddings-00000.parquet"
    with services.blobs.writer(key) as writer:
        writer.write(CONTENT)
    file = {"name": "embeddings-00000.parquet", "key": key, "bytes": len(CONTENT), "sha256": sha256(CONTENT).hexdigest()}
    with services.database.write() as session:
        return factories.embedding(session, id="emb_1", model_id=asked["model_id"], files=[file]).id


@pytest.fixture
def seen_id(services: Services, asked: dict) -> str:
    """Embeddings of four samples; the third is left out, and the last is like the second."""
    key = "embeddings/emb_2/embeddings-00000.parquet"
    rows = np.array([[1, 0, 0], [0, 1, 0.1], [0, 2, 0]], np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), 3)
    found = pa.BufferOutputStream()
    with services.blobs.writer(key) as writer:
        pq.write_table(pa.table({"id": [0, 1, 3], "path": ["a.png", "b.png", "d.png"], "embedding": column}), found)
        writer.write(found.getvalue().to_pybytes())
    file = {"name": "embeddings-00000.parquet", "key": key, "bytes": 1, "sha256": "0" * 64}
    with services.database.write() as session:
        return factories.embedding(session, id="emb_2", model_id=asked["model_id"], rows=3, left_out=1, files=[file]).id


class TestAsk:
    def test_queues_a_job(self, client: Client, asked: dict):
        answer = client.post("/v1/jobs", json={**asked, "stage": "layer3", "batch_size": 32})
        assert answer.status_code == 201
        job = answer.json()
        assert (job["kind"], job["state"], job["model_id"], job["embedding_id"]) == ("embed", "queued", asked["model_id"], None)
        assert job["spec"] == {
            "model_id": asked["model_id"],
            "stage": "layer3",
            "normalize": False,
            "batch_size": 32,
            "device": "auto",
        }
        assert [one["id"] for one in client.get("/v1/jobs?kind=embed").json()["data"]] == [job["id"]]
        assert client.delete(f"/v1/models/{asked['model_id']}").status_code == 409

    @pytest.mark.parametrize(
        ("change", "param", "says"),
        [
            ({"model_id": "model_x"}, "model_id", "no model 'model_x'"),
            ({"dataset_id": "ds_x"}, "dataset_id", "no dataset 'ds_x'"),
            ({"batch_size": 0}, "batch_size", "greater than or equal to 1"),
            ({"protocols": ["knn"]}, "protocols", "no such field"),
        ],
    )
    def test_what_cannot_be_is_refused_by_name(self, client: Client, asked: dict, change: dict, param: str, says: str):
        answer = client.post("/v1/jobs", json={**asked, **change})
        assert (answer.json().get("param"), says in answer.json()["detail"]) == (param, True), answer.json()

    def test_a_dataset_of_the_other_kind_is_refused(self, client: Client, services: Services, asked: dict):
        with services.database.write() as session:
            datasets.get(session, asked["dataset_id"]).kind = "video"
        assert "is of images" in client.post("/v1/jobs", json=asked).json()["detail"]


class TestRead:
    def test_says_what_they_are_of(self, client: Client, embedding_id: str, asked: dict):
        told = client.get(f"/v1/embeddings/{embedding_id}").json()
        assert (told["object"], told["model_id"], told["rows"], told["features"]) == ("embedding", asked["model_id"], 100, 128)
        assert told["files"][0]["url"] == f"/v1/embeddings/{embedding_id}/files/embeddings-00000.parquet"
        assert client.get(f"/v1/embeddings?model_id={asked['model_id']}").json()["data"] == [told]
        assert client.get("/v1/embeddings?model_id=model_other").json()["data"] == []

    def test_gives_the_files_in_parts(self, client: Client, embedding_id: str):
        url = f"/v1/embeddings/{embedding_id}/files/embeddings-00000.parquet"
        whole = client.get(url)
        assert (whole.content, whole.headers["ETag"]) == (CONTENT, f'"{sha256(CONTENT).hexdigest()}"')
        part = client.get(url, headers={"Range": "bytes=5-7", "If-Range": whole.headers["ETag"]})
        assert (part.status_code, part.content) == (206, b"and")
        assert client.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
        assert client.head(url).headers["Content-Length"] == str(len(CONTENT))
        missing = client.get(f"/v1/embeddings/{embedding_id}/files/other.parquet")
        assert (missing.status_code, "from embeddings-00000.parquet" in missing.json()["detail"]) == (404, True)

    def test_are_deleted_with_their_files(self, client: Client, services: Services, embedding_id: str):
        assert client.delete(f"/v1/embeddings/{embedding_id}").status_code == 204
        assert client.get(f"/v1/embeddings/{embedding_id}").status_code == 404
        with pytest.raises(FileNotFoundError):
            services.blobs.path("embeddings/emb_1/embeddings-00000.parquet")


class TestLook:
    def test_finds_what_is_alike(self, client: Client, seen_id: str):
        told = client.get(f"/v1/embeddings/{seen_id}/samples/1/neighbors?limit=1").json()
        assert (told["object"], told["index"], told["path"]) == ("neighbors", 1, "b.png")
        (near,) = told["data"]
        assert (near["index"], near["path"], near["label"]) == (3, "d.png", None)
        assert near["similarity"] == pytest.approx(0.995037, abs=1e-5)

    def test_a_sample_without_an_embedding_is_told(self, client: Client, seen_id: str):
        answer = client.get(f"/v1/embeddings/{seen_id}/samples/2/neighbors")
        assert (answer.status_code, "too short" in answer.json()["detail"]) == (404, True)

    def test_maps_them(self, client: Client, seen_id: str):
        told = client.get(f"/v1/embeddings/{seen_id}/map").json()
        assert (told["object"], told["rows"]) == ("embedding_map", 3)
        assert [one["index"] for one in told["data"]] == [0, 1, 3]
        apart, alike = (abs(told["data"][1]["x"] - told["data"][other]["x"]) for other in (0, 2))
        assert alike < 0.1 < apart
        assert sum(told["explained"]) == pytest.approx(1, abs=1e-4)
