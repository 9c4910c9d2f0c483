"""Requests in the same moment, on each of the two databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import httpx
import pytest

from api.services import Services
from records.queries import aliases, jobs, leases, projects
from records.settings import Settings
from tests import factories

AT_ONCE = 6
ResultT = TypeVar("ResultT")


@pytest.fixture
def settings(settings: Settings, database_url: str) -> Settings:
    return settings.model_copy(update={"database_url": database_url})


def at_once(do: Callable[[int], ResultT]) -> list[ResultT]:
    barrier = Barrier(AT_ONCE)

    def one(number: int) -> ResultT:
        barrier.wait()
        return do(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


class TestQuotas:
    def test_of_bytes_hold_for_uploads_and_archives_at_once(self, client: httpx.Client):
        picture = factories.png()
        room = int(len(picture) * 2.5)
        assert client.patch("/v1/projects/proj_default", json={"most_bytes": room}).status_code == 200

        def upload(number: int) -> httpx.Response:
            if number % 2:
                headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(picture))}
                return client.post("/v1/uploads", headers=headers)
            return client.post("/v1/datasets", files={"file": (f"{number}.png", picture)})

        told = [answer.status_code for answer in at_once(upload)]
        assert sorted(told) == [201, 201, 403, 403, 403, 403]
        stored = client.get("/v1/projects/proj_default/usage").json()["stored"]
        assert stored["total"] == 2 * len(picture)

    def test_of_running_jobs_hold_for_claims_at_once(self, client: httpx.Client, services: Services):
        with services.database.write() as session:
            waiting = [factories.job(session).id for _ in range(AT_ONCE)]
        client.patch("/v1/projects/proj_default", json={"most_running": 2})

        def claim(number: int) -> bool:
            with services.database.write() as session:
                return leases.claim(session, waiting[number], f"worker_{number}", 60) is not None

        assert sum(at_once(claim)) == 2
        with services.database.read() as session:
            assert projects.running(session, "proj_default") == 2


class TestChanges:
    def test_with_the_same_etag_one_alone_gets_through(self, client: httpx.Client, services: Services):
        with services.database.write() as session:
            path = f"/v1/models/{factories.model(session).id}"
        etag = client.get(path).headers["ETag"]
        told = at_once(lambda number: client.patch(path, json={"name": f"name {number}"}, headers={"If-Match": etag}))
        assert sorted(answer.status_code for answer in told) == [200] + [412] * (AT_ONCE - 1)
        (done,) = (answer for answer in told if answer.status_code == 200)
        assert client.get(path).json() == done.json()

    def test_an_alias_is_made_once(self, client: httpx.Client, services: Services):
        with services.database.write() as session:
            models = [factories.model(session).id for _ in range(AT_ONCE)]
        path = "/v1/models/aliases/best"
        told = at_once(lambda number: client.put(path, json={"model_id": models[number]}, headers={"If-None-Match": "*"}))
        assert sorted(answer.status_code for answer in told) == [201] + [412] * (AT_ONCE - 1)

    def test_a_model_is_deleted_or_named_and_not_both(self, client: httpx.Client, services: Services):
        with services.database.write() as session:
            model = factories.model(session).id
            other = factories.model(session).id

        def do(number: int) -> httpx.Response:
            if number % 2:
                return client.delete(f"/v1/models/{model}")
            return client.put(f"/v1/models/aliases/name{number}", json={"model_id": model})

        told = at_once(do)
        gone = client.get(f"/v1/models/{model}").status_code == 404
        named = [answer for answer in told if answer.status_code == 201]
        assert gone != bool(named), [answer.text for answer in told]
        assert all(answer.status_code in {201, 204, 404, 409} for answer in told)
        with services.database.read() as session:
            found, _ = aliases.page(session, limit=9, after=None)
            assert {alias.model_id for alias in found} <= {model, other}

    def test_a_dataset_is_deleted_or_worked_on_and_not_both(self, client: httpx.Client, services: Services):
        with services.database.write() as session:
            dataset = factories.dataset(session, images=2000).id
        body = {"kind": "pretrain", "dataset_id": dataset, "task": {"name": "rotation"}, "check_memory": False}

        def do(number: int) -> httpx.Response:
            return client.post("/v1/jobs", json=body) if number % 2 else client.delete(f"/v1/datasets/{dataset}")

        told = at_once(do)
        assert all(answer.status_code in {201, 204, 404, 409} for answer in told), [answer.text for answer in told]
        with services.database.read() as session:
            working, _ = jobs.page(session, limit=9, after=None, dataset_id=dataset)
        assert (client.get(f"/v1/datasets/{dataset}").status_code == 200) == bool(working)
