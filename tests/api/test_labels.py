import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from httpx import Client

from api.labels import service
from api.services import Services
from records.queries import datasets, labels
from tests import factories
from tests.api.conftest import KEY

PATHS = [f"pictures/{folder}/{number}.png" for folder in ("a", "b") for number in range(3)]
TABLE = "file,label\na/0.png,cat\na/1.png,dog\nb/2.png,cat\nnowhere.png,cat\n"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def shards(services: Services, tmp_path: Path) -> list[dict]:
    found = []
    for number in range(2):
        rows = range(3 * number, 3 * number + 3)
        content = [{"bytes": factories.png(8, row), "path": PATHS[row]} for row in rows]
        size = pa.array([8] * 3, pa.int32())
        pq.write_table(pa.table({"image": content, "width": size, "height": size}), tmp_path / "shard", row_group_size=2)
        services.blobs.put(f"datasets/x/shard-{number}", tmp_path / "shard")
        (tmp_path / "shard").unlink()
        found.append({"key": f"datasets/x/shard-{number}", "rows": 3, "bytes": 1, "sha256": ""})
    return found


@pytest.fixture
def dataset_id(services: Services, shards: list[dict]) -> str:
    """A dataset of six pictures without labels."""
    with services.database.write() as session:
        return factories.dataset(session, images=6, shards=shards, kind="image").id


@pytest.fixture
def put(client: Client, dataset_id: str):
    def run(table: str | bytes = TABLE, **params: object):
        return client.put(f"/v1/datasets/{dataset_id}/labels", content=table, params=params, headers=CSV)

    return run


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "labels" in path.parts]


class TestPut:
    def test_labels_a_dataset_and_reports_what_does_not_fit(self, client: Client, put, dataset_id: str):
        told = put().json()
        assert (told["applied"], told["lines"], told["matched"], told["matched_by"]["end"]) == (True, 4, 3, 3)
        assert told["first_unmatched"] == [{"line": 5, "file": "nowhere.png", "reason": "no such file"}]
        assert (told["classes"], told["splits"], told["unlabelled"]) == ({"cat": 2, "dog": 1}, None, 3)
        dataset = client.get(f"/v1/datasets/{dataset_id}").json()
        assert (dataset["labels"], dataset["label_counts"]) == (["cat", "dog"], {"cat": 2, "dog": 1})
        assert (dataset["labels_from"], dataset["labels_version"]) == ("table", told["labels_version"])
        samples = client.get(f"/v1/datasets/{dataset_id}/samples?after=0&limit=9").json()["data"]
        assert [one["label"] for one in samples] == ["dog", None, None, None, "cat"]

    def test_takes_a_form_as_well(self, client: Client, dataset_id: str):
        answer = client.put(f"/v1/datasets/{dataset_id}/labels", files={"file": ("labels.csv", TABLE.replace(",", ";"))})
        assert (answer.status_code, answer.json()["matched"]) == (200, 3)

    def test_a_dry_run_changes_nothing_and_tells_the_same(self, client: Client, put, dataset_id: str, stored: Path):
        told = put(dry_run=True).json()
        assert (told["applied"], client.get(f"/v1/datasets/{dataset_id}").json()["labels"]) == (False, None)
        assert files_in(stored) == []
        assert put().json() == {**told, "applied": True}

    def test_merges(self, put, client: Client, dataset_id: str):
        put()
        told = put("a/0.png,\nb/0.png,bird\n", mode="merge").json()
        assert told["classes"] == {"bird": 1, "cat": 1, "dog": 1}

    def test_a_form_to_fill_in_comes_back_filled_in(self, client: Client, put, dataset_id: str):
        url = f"/v1/datasets/{dataset_id}/labels"
        empty = client.get(url)
        assert empty.headers["Content-Type"].startswith("text/csv")
        assert empty.text.splitlines() == ["file,label,split", *(f"{path},," for path in PATHS)]
        refused = put(empty.content)
        assert "no line has a label" in refused.json()["detail"]
        filled = empty.text.replace(",,", ",cat,train")
        version = put(filled).json()["labels_version"]
        assert client.get(url).text == filled
        assert put(client.get(url).content).json()["labels_version"] == version

    @pytest.mark.parametrize(
        ("table", "says"),
        [
            ("", "empty"),
            ("file,label\n", "no lines below"),
            ("x.png,cat\ny.png,dog\n", "none of the 2 lines"),
            ("cat,a/0.png\n", "swapped"),
            (b"\0\1\2", "binary"),
            ("a/0.png\n", "one column"),
            ("a/0.png,c\x07t\n", "control characters"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_and_leaves_nothing(
        self, put, client: Client, dataset_id: str, stored: Path, table, says
    ):
        answer = put(table)
        assert (answer.status_code, answer.json()["param"]) == (422, "file")
        assert says in answer.json()["detail"]
        assert client.get(f"/v1/datasets/{dataset_id}").json()["labels"] is None
        assert files_in(stored) == []

    def test_more_than_a_table_can_have_is_refused(self, client: Client, put, dataset_id: str, stored: Path, monkeypatch):
        monkeypatch.setattr(service, "MAX_BYTES", 1000)
        for answer in (
            put(b"a/0.png,cat\n" * 200_000),
            put(iter([b"a/0.png,cat\n" * 100] * 3)),
            client.put(f"/v1/datasets/{dataset_id}/labels", files={"file": b"a/0.png,cat\n" * 100}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
            assert "may have up to 1,000 bytes" in answer.json()["detail"]
        assert files_in(stored) == []

    def test_a_dataset_that_is_not_there_or_not_ready(self, client: Client, services: Services):
        with services.database.write() as session:
            unready = factories.dataset(session, state="ingesting").id
        for dataset_id, status in (("ds_x", 404), (unready, 409)):
            for method in ("PUT", "GET", "DELETE"):
                answer = client.request(method, f"/v1/datasets/{dataset_id}/labels", content=TABLE, headers=CSV)
                assert answer.status_code == status

    def test_a_large_body_for_another_address_is_not_read(self, client: Client):
        answer = client.post("/v1/jobs", content=b" " * (2 << 20), headers={**CSV, "Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 413


class TestFoldersAndTables:
    @pytest.fixture
    def shards(self, services: Services, tmp_path: Path) -> list[dict]:
        names = '{"info": {"features": {"label": {"names": ["ant", "bee"], "_type": "ClassLabel"}}}}'
        content = [{"bytes": factories.png(8, row), "path": path} for row, path in enumerate(PATHS)]
        size = pa.array([8] * 6, pa.int32())
        columns = {"image": content, "label": [0, 0, 0, 1, 1, 1], "split": ["train", "test"] * 3, "width": size, "height": size}
        pq.write_table(pa.table(columns).replace_schema_metadata({"huggingface": names}), tmp_path / "shard")
        services.blobs.put("datasets/x/shard-0", tmp_path / "shard")
        return [{"key": "datasets/x/shard-0", "rows": 6, "bytes": 1, "sha256": ""}]

    @pytest.fixture
    def dataset_id(self, services: Services, shards: list[dict]) -> str:
        with services.database.write() as session:
            report = {"labels": ["ant", "bee"], "label_counts": {"ant": 3, "bee": 3}}
            return factories.dataset(session, images=6, shards=shards, labels=["ant", "bee"], report=report).id

    def test_a_table_takes_their_place_and_they_come_back(self, client: Client, put, dataset_id: str, stored: Path):
        url = f"/v1/datasets/{dataset_id}"
        before = client.get(f"{url}/labels").text
        assert before.splitlines()[1] == "pictures/a/0.png,ant,train"
        told = put().json()
        assert (told["classes"], told["splits"]) == ({"cat": 2, "dog": 1}, {"test": 3, "train": 3})
        assert client.delete(f"{url}/labels").status_code == 204
        dataset = client.get(url).json()
        assert (dataset["labels"], dataset["labels_from"], dataset["label_counts"]) == (
            ["ant", "bee"],
            "folders",
            {"ant": 3, "bee": 3},
        )
        assert (client.get(f"{url}/labels").text, files_in(stored)) == (before, [])

    def test_a_table_is_merged_into_them(self, put):
        assert put(mode="merge").json()["classes"] == {"ant": 1, "bee": 2, "cat": 2, "dog": 1}


class TestJobs:
    def test_evaluations_may_be_asked_for_once_there_are_labels(self, client: Client, services: Services, put, dataset_id: str):
        with services.database.write() as session:
            model_id = factories.model(session).id
        asked = {"kind": "evaluate", "model_id": model_id, "dataset_id": dataset_id}
        assert f"PUT /v1/datasets/{dataset_id}/labels" in client.post("/v1/jobs", json=asked).json()["detail"]
        put()
        assert client.post("/v1/jobs", json=asked).status_code == 201

    def test_labels_that_a_job_works_with_stay_until_it_has_ended(
        self, client: Client, services: Services, put, dataset_id: str, stored: Path
    ):
        put()
        with services.database.write() as session:
            job = factories.job(session, kind="evaluate", dataset_id=dataset_id, spec={"model_id": "model_x"})
            first = labels.pin(session, job)
            job_id = job.id
        for number in range(3):
            put(f"a/0.png,class{number}\n")
        with services.database.write() as session:
            newest = labels.key_of(datasets.get(session, dataset_id))
        held = {services.blobs.path(key) for key in (first, newest) if key}
        assert set(files_in(stored)) == held
        client.post(f"/v1/jobs/{job_id}/cancel")
        put()
        assert len(files_in(stored)) == 1

    def test_two_that_merge_at_once_do_not_lose_each_other(self, services: Services, put, dataset_id: str, monkeypatch):
        written = service.written

        def meanwhile(*arguments):
            monkeypatch.setattr(service, "written", written)
            assert put("b/0.png,bird\n", mode="merge").status_code == 200
            return written(*arguments)

        monkeypatch.setattr(service, "written", meanwhile)
        refused = put("a/0.png,cat\n", mode="merge")
        assert (refused.status_code, "send this one again" in refused.json()["detail"]) == (409, True)
        assert put("a/0.png,cat\n", mode="merge").json()["classes"] == {"bird": 1, "cat": 1}


class TestStored:
    def test_the_file_is_plain_parquet(self, services: Services, put, dataset_id: str):
        put()
        with services.database.read() as session:
            key = labels.key_of(datasets.get(session, dataset_id))
        assert key is not None
        table = pq.read_table(io.BytesIO(services.blobs.path(key).read_bytes()))
        assert table.column_names == ["path", "label", "split"]
        assert table["path"].to_pylist() == PATHS
        assert table["label"].to_pylist() == ["cat", "dog", None, None, None, "cat"]
