"""What all resources have in common: metadata, ETags, If-Match, filters."""

from typing import Any

import httpx
import pytest

from api.services import Services
from records.queries import keys, members, uploads
from tests import factories


@pytest.fixture
def resources(services: Services) -> dict[str, str]:
    """Paths of one of each."""
    with services.database.write() as session:
        dataset = factories.dataset(session)
        return {
            "datasets": f"/v1/datasets/{dataset.id}",
            "jobs": f"/v1/jobs/{factories.job(session, kind='ingest', dataset_id=dataset.id, spec={'filename': 'a.zip'}).id}",
            "models": f"/v1/models/{factories.model(session).id}",
            "evaluations": f"/v1/evaluations/{factories.evaluation(session).id}",
            "embeddings": f"/v1/embeddings/{factories.embedding(session).id}",
            "uploads": f"/v1/uploads/{uploads.create(session, filename='a', size=9, meta='', hours=1, most=9, most_bytes=99).id}",
            "members": f"/v1/members/{members.create(session, 'Ada', 'write').id}",
            "keys": f"/v1/keys/{keys.create(session, 'another', 'read')[0].id}",
            "projects": "/v1/projects/proj_default",
            "webhooks": f"/v1/webhooks/{factories.webhook(session).id}",
        }


KINDS = [
    "datasets", "jobs", "models", "evaluations", "embeddings", "uploads", "members", "keys", "projects", "webhooks",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
class TestEachResource:
    def test_has_metadata_that_are_merged(self, client: httpx.Client, resources: dict[str, str], kind: str):
        path = resources[kind]
        assert client.get(path).json()["metadata"] == {}
        assert client.patch(path, json={"metadata": {"a": "1", "b": "2"}}).json()["metadata"] == {"a": "1", "b": "2"}
        assert client.patch(path, json={"metadata": {"a": None, "c": "3"}}).json()["metadata"] == {"b": "2", "c": "3"}
        assert client.patch(path, json={}).json()["metadata"] == {"b": "2", "c": "3"}
        assert client.get(path).json()["metadata"] == {"b": "2", "c": "3"}
        assert client.patch(path, json={"metadata": None}).json()["metadata"] == {}

    def test_is_changed_only_as_it_was_read(self, client: httpx.Client, resources: dict[str, str], kind: str):
        path = resources[kind]
        read = client.get(path).headers["ETag"]
        assert client.get(path, headers={"If-None-Match": read}).status_code == 304
        changed = client.patch(path, json={"metadata": {"a": "1"}}, headers={"If-Match": read})
        assert (changed.status_code, changed.headers["ETag"]) == (200, client.get(path).headers["ETag"])
        assert changed.headers["ETag"] != read
        refused = client.patch(path, json={"metadata": {"a": "2"}}, headers={"If-Match": read})
        assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
        assert changed.headers["ETag"] in refused.json()["detail"]
        assert client.get(path).json()["metadata"] == {"a": "1"}
        for tag in ("*", f'"x", {changed.headers["ETag"]}'):
            assert client.patch(path, json={}, headers={"If-Match": tag}).status_code == 200
        assert client.patch(path, json={}, headers={"If-Match": f"W/{changed.headers['ETag']}"}).status_code == 412

    def test_is_found_by_its_metadata_and_time(self, client: httpx.Client, resources: dict[str, str], kind: str):
        collection, _, id_ = resources[kind].rpartition("/")
        client.patch(resources[kind], json={"metadata": {"place": "Oslo", "a b": "x&y"}})

        def found(**params: str) -> list[str]:
            return [one["id"] for one in client.get(collection, params=params).json()["data"]]

        assert found(**{"metadata[place]": "Oslo", "metadata[a b]": "x&y"}) == [id_]
        assert found(**{"metadata[place]": "Bergen"}) == []
        assert found(**{"metadata[place]": "Oslo", "metadata[team]": "x"}) == []
        assert id_ in found(created_after="2020-01-01", order="asc")
        assert found(created_before="2020-01-01T00:00:00Z") == []

    def test_refuses_what_it_does_not_know(self, client: httpx.Client, resources: dict[str, str], kind: str):
        path, collection = resources[kind], resources[kind].rpartition("/")[0]
        assert client.patch(path, json={"colour": "red"}).status_code == 422
        told = client.get(collection, params={"ordr": "asc"}).json()
        assert (told["param"], "did you mean 'order'" in told["detail"]) == ("ordr", True)
        for params in ({"order": "up"}, {"created_after": "0.5"}, {"created_after": "soon"}, {"metadata[]": "x"}):
            assert client.get(collection, params=params).status_code == 422, params


class TestMetadata:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"k" * 41: "x"}, "40 characters"),
            ({"": "x"}, "1 to 40"),
            ({"a[b]": "x"}, "square brackets"),
            ({"a": "x" * 501}, "500 characters"),
            ({str(number): "x" for number in range(51)}, "50 keys"),
        ],
    )
    def test_have_bounds(self, client: httpx.Client, resources: dict[str, str], change: dict[str, Any], says: str):
        told = client.patch(resources["models"], json={"metadata": change})
        assert (told.status_code, told.json()["code"]) == (422, "invalid_request")
        assert says in told.json()["detail"]

    def test_are_bounded_together_too(self, client: httpx.Client, resources: dict[str, str]):
        assert client.patch(resources["jobs"], json={"metadata": {f"a{n}": "x" for n in range(50)}}).status_code == 200
        told = client.patch(resources["jobs"], json={"metadata": {"b": "x"}})
        assert (told.status_code, told.json()["param"]) == (422, "metadata")
        assert client.patch(resources["jobs"], json={"metadata": {"b": "x", "a0": None}}).status_code == 200


class TestNames:
    def test_datasets_and_models_are_renamed_and_found(self, client: httpx.Client, resources: dict[str, str]):
        for kind in ("datasets", "models"):
            assert client.patch(resources[kind], json={"name": "  birds of Oslo "}).json()["name"] == "birds of Oslo"
            assert len(client.get(f"/v1/{kind}", params={"name": "birds of Oslo"}).json()["data"]) == 1
            assert client.patch(resources[kind], json={"name": " "}).status_code == 422

    def test_a_priority_is_changed_while_a_job_waits(self, client: httpx.Client, services: Services, resources: dict[str, str]):
        path = resources["jobs"]
        assert client.patch(path, json={"priority": 5}).json()["priority"] == 5
        client.post(f"{path}/cancel")
        refused = client.patch(path, json={"priority": 6})
        assert (refused.status_code, refused.json()["param"]) == (409, "priority")
        assert client.patch(path, json={"metadata": {"a": "1"}}).status_code == 200


class TestDeletion:
    @pytest.mark.parametrize("kind", ["datasets", "models", "evaluations", "embeddings", "uploads", "members", "webhooks"])
    def test_happens_only_as_it_was_read(self, client: httpx.Client, resources: dict[str, str], kind: str):
        path = resources[kind]
        client.post(f"{resources['jobs']}/cancel")
        headers = {"Tus-Resumable": "1.0.0", "If-Match": '"another"'}
        assert client.delete(path, headers=headers).status_code == 412
        assert client.delete(path, headers={**headers, "If-Match": client.get(path).headers["ETag"]}).status_code == 204
        assert client.get(path).status_code in {404, 410}
