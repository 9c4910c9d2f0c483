import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from pretext_client import PretextError, SignatureError, verify
from standardwebhooks import Webhook as Signer

from tests.client.faults import answer, page
from tests.client.test_client_admin import pretext

TIMES = {"created_at": "2026-11-02T10:00:00Z"}
HOOK = {"id": "hook_1", "url": "https://example.org/", "events": ["job.*"], "enabled": True, "metadata": {}, **TIMES}
DELIVERY = {
    "id": "dlv_1",
    "webhook_id": "hook_1",
    "event_id": "evt_1",
    "type": "webhook.test",
    "state": "pending",
    "attempts": 0,
    **TIMES,
}
ATTEMPT = {"number": 1, "at": TIMES["created_at"], "seconds": 0.1, "status": 500, "error": "it answered 500", "answer": "oh\nno"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # that of the specification's examples
BODY = b'{"type": "job.succeeded", "data": {"id": "job_1"}}'


def headers(body: bytes = BODY, secret: str = SECRET, ago: float = 0, id_: str = "evt_1") -> dict[str, str]:
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    signature = Signer(secret).sign(id_, moment, body.decode())
    return {"Webhook-Id": "evt_1", "Webhook-Timestamp": str(int(moment.timestamp())), "Webhook-Signature": signature}


class TestVerify:
    def test_reads_what_was_signed(self):
        assert verify(headers(), BODY, SECRET)["data"]["id"] == "job_1"
        assert verify(headers(), BODY.decode(), SECRET.removeprefix("whsec_"))["type"] == "job.succeeded"

    def test_takes_one_of_several_signatures(self):
        told = headers()
        told["Webhook-Signature"] = f"v1a,abc v1,AAAA {told['Webhook-Signature']}"
        assert verify(told, BODY, SECRET)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda: (headers(), BODY + b" "), "no signature"),
            (lambda: (headers(secret="whsec_" + "A" * 32), BODY), "no signature"),
            (lambda: (headers(id_="evt_2"), BODY), "no signature"),
            (lambda: ({**headers(), "Webhook-Timestamp": str(int(time.time()) - 9)}, BODY), "no signature"),
            (lambda: ({**headers(), "Webhook-Signature": "v1,"}, BODY), "no signature"),
            (lambda: ({**headers(), "Webhook-Signature": "ä"}, BODY), "no signature"),
            (lambda: (headers(ago=301), BODY), "clock"),
            (lambda: (headers(ago=-302), BODY), "clock"),
            (lambda: ({**headers(), "Webhook-Timestamp": "soon"}, BODY), "seconds"),
            (lambda: ({**headers(), "Webhook-Timestamp": "9" * 40}, BODY), "seconds"),
            (lambda: ({}, BODY), "has no webhook-id"),
            (lambda: (headers(b"[]"), b"[]"), "no event"),
            (lambda: (headers(b"{"), b"{"), "no event"),
        ],
    )
    def test_refuses_all_else(self, change, reason: str):
        told, body = change()
        with pytest.raises(SignatureError, match=reason):
            verify(told, body, SECRET)

    def test_tells_a_secret_that_is_none(self):
        for secret in ("", "whsec_", "whsec_ä", "pretext_key"):
            with pytest.raises(PretextError, match="secret"):
                verify(headers(), BODY, secret)

    def test_may_be_patient(self):
        assert verify(headers(ago=600), BODY, SECRET, tolerance=1000)


class TestClient:
    def test_makes_and_changes(self, script, client):
        script.on("POST", "/v1/webhooks", answer({**HOOK, "secret": SECRET}, 201))
        assert client.webhooks.create("https://example.org/", ["job.*"], metadata={"a": "b"}).secret == SECRET
        assert json.loads(script.seen[0].body) == {
            "url": "https://example.org/",
            "events": ["job.*"],
            "description": "",
            "metadata": {"a": "b"},
        }
        script.on("PATCH", "/v1/webhooks/hook_1", answer({**HOOK, "enabled": False}))
        assert not client.webhooks.update("hook_1", enabled=False).enabled
        assert json.loads(script.seen[1].body) == {"enabled": False}

    def test_reads_deliveries(self, script, client):
        script.on("GET", "/v1/webhooks/hook_1/deliveries", page(DELIVERY))
        assert [one.id for one in client.webhooks.deliveries("hook_1", state="failed")] == ["dlv_1"]
        assert script.seen[0].query["state"] == "failed"
        script.on("GET", "/v1/webhooks/hook_1/deliveries/dlv_1", answer({**DELIVERY, "payload": {"type": "x"}, "log": [ATTEMPT]}))
        assert client.webhooks.delivery("hook_1", "dlv_1").log[0].status == 500


class TestCommand:
    def test_prints_a_new_secret_alone_on_standard_output(self, script):
        script.on("POST", "/v1/webhooks", answer({**HOOK, "secret": SECRET}, 201))
        result = pretext(script, "webhooks", "create", "https://example.org/", "--event", "job.failed", "--event", "model.*")
        assert result.stdout == f"{SECRET}\n"
        assert json.loads(script.seen[0].body)["events"] == ["job.failed", "model.*"]
        script.on("POST", "/v1/webhooks/hook_1/rotate", answer({**HOOK, "secret": SECRET, "old_secret_until": TIMES["created_at"]}))
        result = pretext(script, "webhooks", "rotate", "hook_1", "--keep-hours", "1")
        assert (result.stdout, "old one" in result.stderr) == (f"{SECRET}\n", True)

    def test_lists_with_or_without_the_word(self, script):
        failing = {**HOOK, "id": "hook_2", "failing_since": TIMES["created_at"]}
        script.on("GET", "/v1/webhooks", page(HOOK, failing, {**HOOK, "id": "hook_3", "enabled": False}))
        told = pretext(script, "webhooks").stdout
        assert told == pretext(script, "webhooks", "list").stdout
        assert [line.split("\t")[1].split(" since")[0] for line in told.splitlines()[1:]] == ["enabled", "failing", "disabled"]

    def test_says_what_came_of_a_test(self, script):
        address = "/v1/webhooks/hook_1/deliveries/dlv_1"
        script.on("POST", "/v1/webhooks/hook_1/test", answer(DELIVERY, 201))
        gone_well = {**ATTEMPT, "status": 204, "error": None, "answer": ""}
        script.on("GET", address, answer(DELIVERY), answer({**DELIVERY, "state": "delivered", "log": [gone_well]}))
        result = pretext(script, "webhooks", "test", "hook_1")
        assert (result.exit_code, "delivered" in result.stdout, "answered 204" in result.stdout) == (0, True, True)
        script.on("GET", address, answer({**DELIVERY, "log": [ATTEMPT], "next_at": TIMES["created_at"]}))
        result = pretext(script, "webhooks", "test", "hook_1")
        assert (result.exit_code, "it answered 500" in result.stdout, "next attempt" in result.stdout) == (1, True, True)

    def test_says_when_nobody_sends(self, script):
        script.on("POST", "/v1/webhooks/hook_1/test", answer(DELIVERY, 201))
        script.on("GET", "/v1/webhooks/hook_1/deliveries/dlv_1", answer(DELIVERY))
        result = pretext(script, "webhooks", "test", "hook_1", "--wait", "0")
        assert (result.exit_code, "no worker" in result.stdout) == (1, True)

    def test_shows_resends_and_deletes(self, script):
        address = "/v1/webhooks/hook_1/deliveries"
        script.on("GET", address, page(DELIVERY))
        assert "dlv_1\twebhook.test\tpending\t0" in pretext(script, "webhooks", "deliveries", "hook_1").stdout
        script.on("POST", f"{address}/dlv_1/resend", answer(DELIVERY))
        assert "sent again" in pretext(script, "webhooks", "resend", "hook_1", "dlv_1").stdout
        script.on("GET", "/v1/webhooks/hook_1", answer(HOOK))
        script.on("DELETE", "/v1/webhooks/hook_1", answer(b"", 204))
        assert "deleted" in pretext(script, "webhooks", "delete", "hook_1").stdout
        script.on("PATCH", "/v1/webhooks/hook_1", answer(HOOK))
        assert "enabled" in pretext(script, "webhooks", "update", "hook_1", "--enable").stdout
        assert json.loads(script.seen[-1].body) == {"enabled": True}

    def test_says_what_last_failed(self, script):
        script.on("GET", "/v1/webhooks/hook_1", answer({**HOOK, "failing_since": TIMES["created_at"]}))
        failed = {**DELIVERY, "attempts": 1}
        script.on("GET", "/v1/webhooks/hook_1/deliveries", page({**DELIVERY, "id": "dlv_2"}, failed))
        script.on("GET", "/v1/webhooks/hook_1/deliveries/dlv_1", answer({**failed, "log": [ATTEMPT]}))
        told = pretext(script, "webhooks", "show", "hook_1").stdout
        assert told.index("what last failed") < told.index("it answered 500")
        assert json.loads(pretext(script, "webhooks", "show", "hook_1", "--json").stdout)["id"] == "hook_1"
