"""Two projects on one server: neither finds, guesses, changes or times anything of the other's."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from api.services import Services
from records.ids import new_id
from records.models import Job
from records.queries import aliases, events, jobs, keys, members, projects, uploads
from records.settings import Settings
from records.tenancy import act_for
from tests import factories


@pytest.fixture
def theirs(services: Services) -> dict[str, str]:
    """Ids of everything that another project has."""
    with services.database.write() as session:
        project = projects.create(session, "theirs")
        act_for(session, project.id)
        dataset = factories.dataset(session, images=2000, labels=["cat", "dog"], kind="image")
        job = factories.job(session, dataset_id=dataset.id)
        factories.picture(session, job.id)
        events.put_metrics(session, job.id, 1, [{"time": 0, "step": 1, "epoch": 1, "values": {"loss": 1.0}}])
        key, _ = keys.create(session, "their key", "admin")
        model_id = factories.model(session).id
        aliases.make(session, "production", model_id)
        return {
            "project_id": project.id,
            "dataset_id": dataset.id,
            "job_id": job.id,
            "model_id": model_id,
            "alias": "production",
            "evaluation_id": factories.evaluation(session).id,
            "embedding_id": factories.embedding(session).id,
            "key_id": key.id,
            "member_id": members.create(session, "Ada", "write").id,
            "webhook_id": factories.webhook(session).id,
            "upload_id": uploads.create(session, filename="a", size=9, meta="", hours=1, most=9, most_bytes=99).id,
        }


@pytest.fixture
def outsider(services: Services, address: str) -> Iterator[httpx.Client]:
    """An administrator of a project that has nothing."""
    with services.database.write() as session:
        act_for(session, projects.create(session, "ours").id)
        _, key = keys.create(session, "our key", "admin")
    with httpx.Client(base_url=address, timeout=20, headers={"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0"}) as client:
        yield client


def key_of(services: Services, scope: str, **more) -> str:
    with services.database.write() as session:
        return keys.create(session, "a key", scope, **more)[1]


@contextmanager
def statements(services: Services) -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_):
        seen.append(statement)

    event.listen(services.database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(services.database.engine, "before_cursor_execute", note)


def routes(app: FastAPI) -> list[tuple[str, str, dict]]:
    return [(path, method, told) for path, methods in app.openapi()["paths"].items() for method, told in methods.items()]


def without_id(answer: httpx.Response, id_: str) -> str:
    return re.sub(r'"request_id":"[^"]+"', "", answer.text.replace(id_, "ID"))


class TestStrangers:
    def test_an_id_of_theirs_is_answered_as_one_that_is_not_there(
        self, app: FastAPI, services: Services, outsider: httpx.Client, theirs: dict[str, str]
    ):
        walked = 0
        outsider.get("/v1/jobs")  # the first use of a key is noted
        for path, method, told in routes(app):
            names = re.findall(r"{(\w+)}", path)
            if not names or names[0] not in theirs:
                assert not names, f"{path} has an id that this test has none for: add it to `theirs`"
                continue
            id_ = theirs[names[0]]
            missing = new_id(id_.partition("_")[0])
            answers, asked = [], []
            for each in (id_, missing):
                address = re.sub(r"{\w+}", "1", path.replace(f"{{{names[0]}}}", each))
                with statements(services) as seen:
                    answer = outsider.request(method, address, **_body(told))
                answers.append((answer.status_code, without_id(answer, each)))
                asked.append(seen)
            assert answers[0] == answers[1], (method, path)
            assert answers[0][0] in {403, 404, 422}, (method, path, answers[0])
            assert asked[0] == asked[1], (method, path)
            walked += answers[0][0] == 404
        assert walked >= 15

    def test_no_list_has_anything_of_theirs(self, app: FastAPI, outsider: httpx.Client, theirs: dict[str, str]):
        for path, method, _ in routes(app):
            if method == "get" and "{" not in path:
                text = outsider.get(path).text
                assert not [id_ for id_ in theirs.values() if id_ in text], path

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"kind": "pretrain", "dataset_id": "dataset_id", "task": {"name": "rotation"}}, "dataset_id"),
            ({"kind": "pretrain", "dataset_id": "own", "task": {"name": "rotation"}, "init_from": "model_id"}, "init_from"),
            (
                {"kind": "pretrain", "dataset_id": "own", "task": {"name": "rotation"}, "evaluate": {"dataset_id": "dataset_id"}},
                "evaluate.dataset_id",
            ),
            ({"kind": "evaluate", "dataset_id": "own", "model_id": "model_id"}, "model_id"),
        ],
    )
    def test_nothing_of_theirs_can_be_worked_with(
        self, services: Services, outsider: httpx.Client, theirs: dict[str, str], body: dict, param: str
    ):
        with services.database.write() as session:
            act_for(session, outsider.get("/v1/projects/current").json()["id"])
            own = factories.dataset(session, images=2000, labels=["cat", "dog"], kind="image").id
        text = json.dumps(body).replace('"own"', f'"{own}"')
        for name, id_ in theirs.items():
            text = text.replace(f': "{name}"', f': "{id_}"')
        answer = outsider.post("/v1/jobs", content=text, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["param"]) == (404, param)

    def test_a_key_of_idempotency_is_the_project_s_own(self, services: Services, client: httpx.Client, outsider: httpx.Client):
        made = []
        for one in (client, outsider):
            with services.database.write() as session:
                act_for(session, one.get("/v1/projects/current").json()["id"])
                dataset = factories.dataset(session, images=2000).id
            body = {"kind": "pretrain", "dataset_id": dataset, "task": {"name": "rotation"}}
            made.append(one.post("/v1/jobs", json=body, headers={"Idempotency-Key": "once"}))
        assert [answer.status_code for answer in made] == [201, 201]
        assert made[0].json()["id"] != made[1].json()["id"]

    def test_events_are_streamed_to_their_project_alone(self, services: Services, client: httpx.Client, outsider: httpx.Client):
        with services.database.write() as session:
            job_id = factories.job(session, kind="ingest", spec={"filename": "a.zip"}).id
            jobs.cancel(session, job_id)
        headers = {"Accept": "text/event-stream"}
        assert "cancelled" in client.get(f"/v1/jobs/{job_id}/events", headers=headers).text
        assert outsider.get(f"/v1/jobs/{job_id}/events", headers=headers).status_code == 404


def _body(told: dict) -> dict:
    content = told.get("requestBody", {}).get("content", {})
    if "application/offset+octet-stream" in content:
        return {"content": b"x", "headers": {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}}
    return {"json": {"name": "x"}} if "application/json" in content else {}


class TestScopes:
    def test_each_operation_wants_its_scope(self, app: FastAPI, services: Services, stranger: httpx.Client):
        reading, writing = key_of(services, "read"), key_of(services, "write")
        denied = {"read": 0, "write": 0}
        for path, method, told in routes(app):
            if "security" not in told and path in {"/healthz", "/readyz"}:
                continue
            address = re.sub(r"{\w+}", "1", path)
            answer = stranger.request(method, address, headers={"Authorization": f"Bearer {reading}"})
            if method not in {"get", "options"} or "administration" in told.get("tags", []):
                denied["read"] += answer.status_code == 403
                assert answer.status_code == 403 or method == "get", (method, path)
            more = _body(told)
            headers = {"Authorization": f"Bearer {writing}", **more.pop("headers", {})}
            answer = stranger.request(method, address, headers=headers, **more)
            if "administration" in told.get("tags", []) and method != "get":
                denied["write"] += answer.status_code == 403
                assert answer.status_code == 403, (method, path)
                assert answer.json()["code"] == "forbidden"
        assert denied["read"] >= 15
        assert denied["write"] >= 6

    def test_what_was_denied_is_noted(self, services: Services, client: httpx.Client):
        reading = key_of(services, "read")
        client.post("/v1/members", json={"name": "Eve"}, headers={"Authorization": f"Bearer {reading}"})
        (entry,) = client.get("/v1/audit", params={"action": "create_member"}).json()["data"]
        assert (entry["outcome"], entry["address"]) == ("denied", "127.0.0.1")
        assert client.get("/v1/members").json()["data"] == []


class TestKeys:
    def test_are_made_used_and_revoked(self, client: httpx.Client):
        made = client.post("/v1/keys", json={"name": "ci", "scope": "write"}).json()
        assert made["key"].startswith(made["prefix"])
        new = {"Authorization": f"Bearer {made['key']}"}
        assert client.get("/v1/jobs", headers=new).status_code == 200
        told = client.get(f"/v1/keys/{made['id']}").json()
        assert ("key" in told, told["last_used_at"] is not None, told["revoked_at"]) == (False, True, None)
        assert made["key"] not in client.get("/v1/keys").text
        assert client.delete(f"/v1/keys/{made['id']}").json()["revoked_at"] is not None
        assert client.get("/v1/jobs", headers=new).status_code == 401

    def test_tell_what_they_are_for(self, services: Services, client: httpx.Client):
        with services.database.write() as session:
            record, key = keys.create(session, "reader", "read")
        told = client.get("/v1/keys/current", headers={"Authorization": f"Bearer {key}"}).json()
        assert (told["id"], told["name"], told["scope"]) == (record.id, "reader", "read")
        assert key not in str(told)

    def test_expire(self, services: Services, client: httpx.Client):
        with services.database.write() as session:
            record, key = keys.create(session, "short", "read", expires_at=datetime.now(UTC) + timedelta(hours=1))
        new = {"Authorization": f"Bearer {key}"}
        assert client.get("/v1/jobs", headers=new).status_code == 200
        with services.database.write() as session:
            keys.get(session, record.id).expires_at = datetime.now(UTC) - timedelta(seconds=1)
        assert client.get("/v1/jobs", headers=new).status_code == 401
        past = client.post("/v1/keys", json={"name": "x", "expires_at": "2020-01-01T00:00:00Z"})
        assert (past.status_code, past.json()["param"]) == (422, "expires_at")

    def test_the_last_one_for_administration_stays(self, client: httpx.Client):
        (only,) = client.get("/v1/keys").json()["data"]
        assert client.delete(f"/v1/keys/{only['id']}").status_code == 409

    def test_of_a_member_go_with_them_and_are_for_no_more_than_their_role(self, client: httpx.Client):
        ada = client.post("/v1/members", json={"name": "Ada", "role": "read", "email": "ada@example.org"}).json()
        refused = client.post("/v1/keys", json={"name": "ada's", "scope": "write", "member_id": ada["id"]})
        assert (refused.status_code, refused.json()["param"]) == (422, "scope")
        key = client.post("/v1/keys", json={"name": "ada's", "scope": "read", "member_id": ada["id"]}).json()
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {key['key']}"}).status_code == 200
        assert client.delete(f"/v1/members/{ada['id']}").status_code == 204
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {key['key']}"}).status_code == 401
        assert client.get(f"/v1/keys/{key['id']}").json()["member_id"] is None


class TestProjects:
    def test_are_made_by_the_server_s_administrators(self, client: httpx.Client, outsider: httpx.Client):
        assert outsider.post("/v1/projects", json={"name": "more"}).status_code == 403
        made = client.post("/v1/projects", json={"name": "lab", "most_running": 1}).json()
        key = client.post("/v1/keys", params={"project_id": made["id"]}, json={"name": "first", "scope": "admin"}).json()
        current = client.get("/v1/projects/current", headers={"Authorization": f"Bearer {key['key']}"}).json()
        assert (current["id"], current["most_running"], current["operator"]) == (made["id"], 1, False)
        assert made["id"] in client.get("/v1/projects").text

    def test_cannot_raise_their_own_quotas(self, services: Services, outsider: httpx.Client, client: httpx.Client):
        own = outsider.get("/v1/projects/current").json()["id"]
        assert outsider.patch(f"/v1/projects/{own}", json={"most_bytes": None}).status_code == 403
        assert outsider.patch(f"/v1/projects/{own}", json={"name": "renamed"}).json()["name"] == "renamed"
        assert client.patch(f"/v1/projects/{own}", json={"most_bytes": 10}).json()["most_bytes"] == 10

    def test_are_deleted_with_all_that_is_theirs(self, services: Services, client: httpx.Client, theirs: dict[str, str], stored):
        blob = stored / "models" / theirs["model_id"] / "config.json"
        blob.parent.mkdir(parents=True)
        blob.write_bytes(b"{}")
        address = f"/v1/projects/{theirs['project_id']}"
        refused = client.delete(address)
        assert (refused.status_code, theirs["job_id"] in refused.json()["detail"]) == (409, True)
        with services.database.write() as session:
            jobs.cancel(session, theirs["job_id"])
        assert client.delete(address).status_code == 204
        assert not blob.exists()
        assert client.get(address).status_code == 404
        with services.database.read() as session:
            assert session.get(Job, theirs["job_id"]) is None
        assert client.delete("/v1/projects/proj_default").status_code == 409

    def test_tell_what_they_use(self, client: httpx.Client, theirs: dict[str, str]):
        told = client.get(f"/v1/projects/{theirs['project_id']}/usage").json()
        assert told["stored"] == {
            "datasets": 9,
            "models": 2,
            "pictures": 1,
            "evaluations": 0,
            "embeddings": 0,
            "checkpoints": 0,
            "total": 12,
        }


def test_nobody_takes_files_from_the_dataset_of_another(services: Services, outsider: httpx.Client, theirs: dict[str, str]):
    told = []
    for base in (theirs["dataset_id"], "ds_01m857cvew41sr5m1t4d32qf12"):
        answer = outsider.post("/v1/datasets", files={"file": ("a.tar", b"1")}, data={"base_dataset_id": base})
        told.append((answer.status_code, answer.json()["param"], answer.json()["detail"].replace(base, "")))
    assert told[0] == told[1] == (404, "base_dataset_id", "there is no dataset ''")


class TestQuotas:
    def test_bytes(self, client: httpx.Client):
        assert client.patch("/v1/projects/proj_default", json={"most_bytes": 100}).status_code == 200
        answer = client.post("/v1/datasets", files={"file": ("a.png", factories.png())})
        assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")
        assert client.get("/v1/datasets").json()["data"] == []

    def test_gpu_seconds(self, services: Services, client: httpx.Client):
        with services.database.write() as session:
            dataset = factories.dataset(session, images=2000).id
            projects.add_usage(session, factories.job(session, device="cuda"), 100.0)
        body = {"kind": "pretrain", "dataset_id": dataset, "task": {"name": "rotation"}}
        client.patch("/v1/projects/proj_default", json={"most_gpu_seconds": 100})
        answer = client.post("/v1/jobs", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")
        client.patch("/v1/projects/proj_default", json={"most_gpu_seconds": 101})
        assert client.post("/v1/jobs", json=body).status_code == 201


class TestRates:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"requests_per_minute": 20})

    def test_too_many_requests_have_to_wait(self, client: httpx.Client):
        told = [client.get("/v1/jobs", params={"limit": 1}) for _ in range(4)]
        assert [answer.status_code for answer in told] == [200] * 2 + [429] * 2
        assert [int(answer.headers["RateLimit-Remaining"]) for answer in told[:2]] == [1, 0]
        assert (told[-1].json()["code"], int(told[-1].headers["Retry-After"]) in {1, 2, 3}) == ("rate_limited", True)
        assert client.get("/healthz").status_code == 200
