import csv
import json

import numpy as np
import pytest
from pretext_client import InvalidRequest, PretextError, Unavailable, jobs
from pretext_client.cli import app
from typer.testing import CliRunner

from tests.client.faults import DATASET, JOB, answer, page, problem
from tests.client.test_client_download import CONTENT, ETAG, SHA256, ranged
from tests.client.test_client_jobs import DONE, EVENTS, progressed

PATH = "/v1/models/model_1/embed"
EMBEDDING = {
    "object": "embedding",
    "id": "emb_1",
    "job_id": "job_1",
    "model_id": "model_1",
    "dataset_id": "ds_1",
    "stage": "layer3",
    "normalized": True,
    "features": 2,
    "rows": 1200,
    "left_out": 3,
    "files": [{"name": "embeddings-00000.parquet", "bytes": len(CONTENT), "sha256": SHA256}],
    "created_at": "2026-11-02T10:00:00Z",
}


def embedded(*rows: list[float]):
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
    return answer({"object": "list", "model_id": "model_1", "features": 2, "data": data})


@pytest.fixture
def pretext(script, monkeypatch):
    monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.01)

    def run(*arguments: str):
        result = CliRunner().invoke(app, ["--url", script.url, "--api-key", "k", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def pictures(tmp_path) -> list[str]:
    for name in "ab":
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    return [str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]


class TestLook:
    def test_finds_what_is_alike(self, script, client):
        near = {"index": 3, "path": "d.png", "label": "cat", "similarity": 0.9}
        told = {"object": "neighbors", "embedding_id": "emb_1", "dataset_id": "ds_1", "index": 7, "path": "a.png", "label": None}
        script.on("GET", "/v1/embeddings/emb_1/samples/7/neighbors", answer({**told, "data": [near]}))
        found = client.embeddings.neighbors("emb_1", 7, limit=5)
        assert (found.path, found.data[0].path, found.data[0].similarity) == ("a.png", "d.png", 0.9)
        assert script.seen[0].query == {"limit": "5"}

    def test_lists_what_is_alike(self, script, pretext):
        near = [{"index": 3, "path": "d.png", "label": None, "similarity": 0.98765}]
        told = {"object": "neighbors", "embedding_id": "emb_1", "dataset_id": None, "index": 7, "path": "a.png", "label": None}
        script.on("GET", "/v1/embeddings/emb_1/samples/7/neighbors", answer({**told, "data": near}))
        found = pretext("embeddings", "neighbors", "emb_1", "7")
        assert found.stdout == "sample\tpath\tlabel\tsimilarity\n3\td.png\t\t0.9877\n"
        assert "Like a.png" in found.stderr
        assert json.loads(pretext("--json", "embeddings", "neighbors", "emb_1", "7").stdout) == near

    def test_maps_them(self, script, client):
        told = {"object": "embedding_map", "embedding_id": "emb_1", "dataset_id": None, "rows": 900, "explained": [0.5, 0.25]}
        script.on("GET", "/v1/embeddings/emb_1/map", answer({**told, "data": [{"index": 1, "label": None, "x": 1.5, "y": -1}]}))
        found = client.embeddings.map("emb_1", points=20)
        assert (found.rows, found.explained, found.data[0].x, found.data[0].y) == (900, (0.5, 0.25), 1.5, -1)
        assert script.seen[0].query == {"points": "20"}


class TestAtOnce:
    def test_sends_files_and_bytes_in_one_form(self, script, client, pictures):
        script.on("POST", PATH, embedded([1, 2], [3, 4]))
        found = client.models.embed("model_1", [pictures[0], b"content"], stage="layer3", normalize=True)
        assert np.array_equal(np.array(found.vectors), [[1, 2], [3, 4]])
        (seen,) = script.seen
        assert b'name="stage"\r\n\r\nlayer3\r\n' in seen.body
        assert b'name="normalize"\r\n\r\ntrue\r\n' in seen.body
        assert b'name="file"; filename="a.jpg"\r\n\r\na\r\n' in seen.body
        assert b"\r\n\r\ncontent\r\n" in seen.body

    def test_sends_many_in_several(self, script, client):
        script.on("POST", PATH, embedded(*[[number, 0] for number in range(64)]), embedded([64, 0]))
        found = client.models.embed("model_1", [b"x"] * 65)
        assert [one.index for one in found.data] == list(range(65))
        assert [row[0] for row in found.vectors] == list(range(65))
        assert [one["index"] for one in found.raw["data"]] == list(range(65))
        assert len(script.seen) == 2

    def test_sends_large_ones_in_several(self, script, client):
        script.on("POST", PATH, embedded([1, 1]), embedded([2, 2]))
        assert len(client.models.embed("model_1", [bytes(17 << 20)] * 2).data) == 2

    def test_waits_for_a_worker(self, script, client):
        script.on("POST", PATH, problem(503, detail="no worker", headers={"Retry-After": "0"}), embedded([1, 2]))
        assert client.models.embed("model_1", [b"x"]).vectors == [(1, 2)]
        script.on("POST", PATH, problem(503, detail="no worker", headers={"Retry-After": "0"}))
        with pytest.raises(Unavailable, match="no worker"):
            client.models.embed("model_1", [b"x"])

    def test_says_which_image_is_bad(self, script, client):
        refusal = problem(422, code="bad_image", detail="image 0 (image): it is a poem")
        script.on("POST", PATH, embedded(*[[0, 0]] * 64), refusal)
        with pytest.raises(InvalidRequest, match="counted from image 64"):
            client.models.embed("model_1", [b"x"] * 65)
        with pytest.raises(PretextError, match="no images"):
            client.models.embed("model_1", [])


class TestCommand:
    def test_shows_or_tells_all(self, script, pretext, pictures):
        script.on("POST", PATH, embedded([1, 2], [3, 0.5]))
        lines = pretext("embed", "model_1", *pictures).stdout.splitlines()
        assert lines[1:] == [f"{pictures[0]}\t1 2 …", f"{pictures[1]}\t3 0.5 …"]
        assert json.loads(pretext("--json", "embed", "model_1", *pictures).stdout)["data"][1]["embedding"] == [3, 0.5]

    def test_writes_files(self, script, pretext, pictures, tmp_path):
        script.on("POST", PATH, embedded([1, 2], [3, 0.5]))
        for kind in ("npy", "csv", "json"):
            result = pretext("embed", "model_1", *pictures, "--out", str(tmp_path / f"x.{kind}"))
            assert "2 embeddings of 2 numbers" in result.stdout
        matrix = np.load(tmp_path / "x.npy", allow_pickle=False)
        assert (matrix.dtype, matrix.tolist()) == (np.float32, [[1, 2], [3, 0.5]])
        with (tmp_path / "x.csv").open(newline="") as file:
            assert list(csv.reader(file)) == [["image", "0", "1"], [pictures[0], "1", "2"], [pictures[1], "3", "0.5"]]
        assert json.loads((tmp_path / "x.json").read_text())[1] == {"image": pictures[1], "embedding": [3, 0.5]}

    def test_an_unknown_kind_of_file_is_refused_before_anything_is_sent(self, script, pretext, pictures):
        result = pretext("embed", "model_1", *pictures, "--out", "x.xlsx")
        assert (result.exit_code, script.seen) == (1, [])
        assert ".npy" in result.stderr

    def test_embeds_a_dataset(self, script, pretext):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("POST", "/v1/jobs", answer({**JOB, "kind": "embed"}, 201))
        script.on("GET", EVENTS, answer(progressed(1)))
        script.on("GET", "/v1/jobs/job_1", answer({**DONE, "kind": "embed", "model_id": "model_1", "embedding_id": "emb_1"}))
        result = pretext("embed", "model_1", "ds_1", "--stage", "layer3", "--set", "batch_size=8", "--watch")
        assert result.exit_code == 0, result.output
        asked = next(json.loads(one.body) for one in script.seen if one.method == "POST")
        assert asked == {
            "kind": "embed",
            "model_id": "model_1",
            "dataset_id": "ds_1",
            "batch_size": 8,
            "stage": "layer3",
            "normalize": False,
        }
        assert "embeddings download emb_1" in result.stdout

    def test_a_missing_file_among_others_is_named(self, pretext, pictures):
        result = pretext("embed", "model_1", pictures[0], "gone.jpg")
        assert result.exit_code == 2
        assert "gone.jpg is no file" in result.stderr


class TestEmbeddings:
    def test_are_listed_shown_downloaded_and_deleted(self, script, pretext, tmp_path):
        script.on("GET", "/v1/embeddings", page(EMBEDDING))
        assert "emb_1\t1200\t2\t1.0 MB\t" in pretext("embeddings").stdout
        assert pretext("embeddings", "list").stdout == pretext("embeddings").stdout
        script.on("GET", "/v1/embeddings/emb_1", answer(EMBEDDING))
        shown = pretext("embeddings", "show", "emb_1").stdout
        assert "1,200 embeddings of 2 numbers" in shown
        assert "by model_1 of ds_1, after layer3\neach of length 1\n3 videos are too short" in shown
        script.on("GET", "/v1/embeddings/emb_1/files/embeddings-00000.parquet", ranged(CONTENT, ETAG))
        path = tmp_path / "embeddings-00000.parquet"
        assert pretext("embeddings", "download", "emb_1", str(tmp_path)).stdout == f"{path}\n"
        assert path.read_bytes() == CONTENT
        script.on("DELETE", "/v1/embeddings/emb_1", answer(b"", 204))
        assert pretext("embeddings", "delete", "emb_1").stdout == "emb_1  deleted\n"
