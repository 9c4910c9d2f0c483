from hashlib import sha256

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
