"""Webhooks as their owners see them."""

import json

import httpx
import pytest
from sqlalchemy import select
from standardwebhooks import Webhook as Verifier

from api.services import Services
from records.models import WebhookDelivery
from records.queries import keys
from records.settings import Settings
from records.signing import signing_key
from tests import factories

_URL = "https://example.org/hook"


@pytest.fixture
def made(client: httpx.Client) -> dict:
    answer = client.post("/v1/webhooks", json={"url": _URL, "events": ["job.*"], "description": "ours", "metadata": {"a": "b"}})
    assert answer.status_code == 201, answer.text
    return answer.json()


def path(made: dict, more: str = "") -> str:
    return f"/v1/webhooks/{made['id']}{more}"


class TestMaking:
    def test_shows_the_secret_once(self, client: httpx.Client, made: dict, settings: Settings):
        assert made["secret"] == signing_key(settings).shown(made["id"], 1)
        Verifier(made["secret"])
        for answer in (client.get("/v1/webhooks"), client.get(path(made)), client.patch(path(made), json={"description": "x"})):
            assert answer.status_code == 200
            assert "whsec_" not in answer.text
            assert "key_print" not in answer.text
        assert "whsec_" not in client.get("/v1/audit").text

    def test_keeps_no_secret_in_the_database(self, services: Services, settings: Settings, made: dict):
        content = settings.data_dir.joinpath("pretext.db").read_bytes() + settings.data_dir.joinpath("pretext.db-wal").read_bytes()
        assert made["id"].encode() in content
        assert made["secret"].removeprefix("whsec_").encode() not in content
        assert signing_key(settings).secret(made["id"], 1) not in content
        assert (settings.data_dir / "webhook-key").read_bytes().strip() not in content

    @pytest.mark.parametrize(
        ("asked", "param"),
        [
            ({"url": "http://example.org/", "events": ["*"]}, "url"),
            ({"url": "https://127.0.0.1/", "events": ["*"]}, "url"),
            ({"url": "https://a:b@example.org/", "events": ["*"]}, "url"),
            ({"url": "https://example.org/" + "x" * 3000, "events": ["*"]}, "url"),
            ({"url": _URL, "events": []}, "events"),
            ({"url": _URL, "events": ["job.exploded"]}, "events"),
            ({"url": _URL, "events": ["*.failed"]}, "events"),
            ({"url": _URL, "events": ["job*"]}, "events"),
            ({"url": _URL}, "events"),
            ({"url": _URL, "events": ["*"], "secret": "mine"}, "secret"),
        ],
    )
    def test_refuses_what_cannot_be(self, client: httpx.Client, asked: dict, param: str):
        answer = client.post("/v1/webhooks", json=asked)
        assert (answer.status_code, answer.json()["param"]) == (422, param)
        assert client.get("/v1/webhooks").json()["data"] == []

    def test_is_for_administrators(self, services: Services, client: httpx.Client, made: dict):
        with services.database.write() as session:
            _, key = keys.create(session, "a key", "write")
        headers = {"Authorization": f"Bearer {key}"}
        body = {"url": _URL, "events": ["*"]}
        assert client.post("/v1/webhooks", json=body, headers=headers).status_code == 403
        assert client.get("/v1/webhooks", headers=headers).status_code == 403
        assert client.get(path(made, "/deliveries"), headers=headers).status_code == 403

    def test_is_bounded(self, services: Services, client: httpx.Client):
        with services.database.write() as session:
            for _ in range(50):
                factories.webhook(session)
        answer = client.post("/v1/webhooks", json={"url": _URL, "events": ["*"]})
        assert (answer.status_code, "50" in answer.json()["detail"]) == (409, True)


class TestChanging:
    def test_what_is_left_out_stays(self, client: httpx.Client, made: dict):
        changed = client.patch(path(made), json={"events": ["model.created", "model.created"]}).json()
        assert (changed["events"], changed["url"], changed["metadata"]) == (["model.created"], _URL, {"a": "b"})
        moved = client.patch(path(made), json={"url": "https://example.com/other", "metadata": {"a": None}}).json()
        assert (moved["url"], moved["metadata"], moved["events"]) == ("https://example.com/other", {}, ["model.created"])
        refused = client.patch(path(made), json={"url": "https://10.0.0.1/"})
        assert (refused.status_code, refused.json()["param"]) == (422, "url")

    def test_disabled_ones_hear_of_nothing(self, services: Services, client: httpx.Client, made: dict):
        told = client.patch(path(made), json={"enabled": False}).json()
        assert (told["enabled"], told["disabled_at"] is not None) == (False, True)
        with services.database.write() as session:
            factories.job(session, dataset_id=None)
        assert client.get(path(made, "/deliveries")).json()["data"] == []
        refused = client.post(path(made, "/test"))
        assert (refused.status_code, "enable" in refused.json()["detail"]) == (409, True)
        again = client.patch(path(made), json={"enabled": True}).json()
        assert (again["enabled"], again["disabled_at"], again["disabled_because"]) == (True, None, None)

    def test_a_new_secret_is_another_one_and_the_old_one_stays_for_a_while(self, client: httpx.Client, made: dict):
        new = client.post(path(made, "/rotate"), json={"keep_hours": 2}).json()
        assert new["secret"] != made["secret"]
        assert new["old_secret_until"] is not None
        at_once = client.post(path(made, "/rotate"), json={"keep_hours": 0}).json()
        assert (at_once["old_secret_until"], at_once["secret"] != new["secret"]) == (None, True)
        assert client.post(path(made, "/rotate")).json()["old_secret_until"] is not None
        assert client.post(path(made, "/rotate"), json={"keep_hours": -1}).status_code == 422

    def test_deleting_takes_all_with_it(self, client: httpx.Client, made: dict):
        client.post(path(made, "/test"))
        assert client.delete(path(made)).status_code == 204
        assert client.get(path(made)).status_code == 404
        assert client.get(path(made, "/deliveries")).status_code == 404


class TestDeliveries:
    def test_are_listed_by_page_and_state(self, client: httpx.Client, made: dict):
        sent = [client.post(path(made, "/test")).json()["id"] for _ in range(3)]
        first = client.get(path(made, "/deliveries"), params={"limit": 2}).json()
        assert ([one["id"] for one in first["data"]], first["has_more"]) == (sent[:0:-1], True)
        rest = client.get(path(made, "/deliveries"), params={"limit": 2, "after": sent[1]}).json()
        assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (sent[:1], False)
        assert client.get(path(made, "/deliveries"), params={"state": "failed"}).json()["data"] == []
        assert client.get(path(made, "/deliveries"), params={"state": "lost"}).status_code == 422

    def test_show_what_is_sent(self, client: httpx.Client, made: dict):
        sent = client.post(path(made, "/test")).json()
        told = client.get(path(made, f"/deliveries/{sent['id']}")).json()
        assert (told["type"], told["state"], told["attempts"], told["log"]) == ("webhook.test", "pending", 0, [])
        assert told["payload"]["data"] == {"object": "webhook", "id": made["id"]}

    def test_are_of_their_webhook_alone(self, client: httpx.Client, made: dict):
        other = client.post("/v1/webhooks", json={"url": _URL, "events": ["*"]}).json()
        sent = client.post(path(made, "/test")).json()["id"]
        assert client.get(path(other, f"/deliveries/{sent}")).status_code == 404
        assert client.post(path(other, f"/deliveries/{sent}/resend")).status_code == 404
        assert client.post(path(made, f"/deliveries/{sent}/resend")).json()["state"] == "pending"


class TestEvents:
    def test_have_what_the_api_gives(self, services: Services, client: httpx.Client):
        client.post("/v1/webhooks", json={"url": _URL, "events": ["*"]})
        with services.database.write() as session:
            dataset = factories.dataset(session, images=2000, kind="image", labels=["cat", "dog"], meta={"ä": "ö"})
            made = [dataset, factories.model(session), factories.evaluation(session), factories.embedding(session)]
            ids = {one.id: f"/v1/{type(one).__name__.lower()}s/{one.id}" for one in made}
        body = {"kind": "pretrain", "dataset_id": dataset.id, "task": {"name": "rotation"}, "metadata": {"run": "7"}}
        job = client.post("/v1/jobs", json=body).json()
        evaluated = client.post("/v1/jobs", json={"kind": "evaluate", "dataset_id": dataset.id, "model_id": made[1].id}).json()
        ids |= {one["id"]: f"/v1/jobs/{one['id']}" for one in (job, evaluated)}
        with services.database.read() as session:
            told = [json.loads(payload)["data"] for payload in session.scalars(select(WebhookDelivery.payload))]
        assert {one["id"] for one in told} == set(ids)
        for one in told:
            shown = client.get(ids[one["id"]]).json()
            assert one == {name: shown[name] for name in one}
            assert len(one) >= 9

    def test_are_written_with_the_request_that_makes_them(self, services: Services, client: httpx.Client, made: dict):
        with services.database.write() as session:
            dataset = factories.dataset(session, images=2000).id
        body = {"kind": "pretrain", "dataset_id": dataset, "task": {"name": "rotation"}}
        job = client.post("/v1/jobs", json=body).json()
        client.post(f"/v1/jobs/{job['id']}/cancel")
        told = client.get(path(made, "/deliveries")).json()["data"]
        assert [one["type"] for one in told] == ["job.cancelled", "job.queued"]
        (entry,) = client.get("/v1/audit", params={"action": "cancel_job"}).json()["data"]
        assert entry["subjects"] == [job["id"]]
