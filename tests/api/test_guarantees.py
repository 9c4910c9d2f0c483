"""Promises about every answer, and about keys."""

import logging
import sqlite3

import httpx
import pytest
from sqlalchemy import event

from api.services import Services
from records.settings import Settings
from tests import factories
from tests.api.conftest import KEY

STRANGE = [
    "/", "//evil.example", "//evil.example/", "/%2F/evil.example", "/\\evil.example", "/v1/jobs/", "//evil.example/v1/jobs/",
    "/v1/jobs/?next=https://evil.example", "/docs?next=//evil.example", "/docs/", "/https://evil.example",
]  # fmt: skip


class TestAnswers:
    @pytest.mark.parametrize("path", STRANGE)
    def test_send_nobody_elsewhere(self, client: httpx.Client, address: str, path: str):
        answer = client.get(httpx.URL(address).copy_with(raw_path=path.encode()))
        place = answer.headers.get("Location")
        if place is not None:
            found = httpx.URL(f"{address}/").join(place)
            assert (found.host, found.scheme) == (httpx.URL(address).host, "http"), place
        else:
            assert not answer.is_redirect

    def test_of_all_kinds_tell_browsers_to_be_careful(self, client: httpx.Client, services: Services):
        with services.database.write() as session:
            job = factories.job(session, kind="ingest", spec={"filename": "a.zip"}).id
        answers = [
            client.get(f"/v1/jobs/{job}"),
            client.get("/v1/jobs/none"),
            client.get("/v1/jobs", headers={"Authorization": "Bearer wrong"}),
            client.post("/v1/jobs", json={}),
            client.patch(f"/v1/jobs/{job}", json={}, headers={"If-Match": '"x"'}),
            client.get("/v1/jobs", headers={"Host": "evil.example"}),
            client.get("/v1/jobs", headers={"Origin": "https://evil.example"}),
            client.get("/", follow_redirects=False),
            client.options("/v1/uploads"),
        ]
        assert [answer.status_code for answer in answers] == [200, 404, 401, 422, 412, 421, 403, 307, 204]
        for answer in answers:
            assert answer.headers["X-Content-Type-Options"] == "nosniff", answer
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"

    def test_let_no_page_of_another_site_read_them(self, client: httpx.Client):
        for origin in ("http://localhost:8000", "https://evil.example", "null"):
            asked = {"Origin": origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
            for answer in (client.options("/v1/jobs", headers=asked), client.get("/v1/jobs", headers={"Origin": origin})):
                assert not [name for name in answer.headers if name.startswith("access-control-")]

    @pytest.mark.parametrize(
        "origin", ["null", "https://localhost.evil.example", "https://evil.example:8000", "http://127.0.0.1.nip.io"]
    )
    def test_are_refused_to_origins_that_only_look_like_ours(self, client: httpx.Client, origin: str):
        assert client.get("/v1/jobs", headers={"Origin": origin}).status_code == 403

    @pytest.mark.parametrize(
        "host", ["localhost.evil.example", "evil.example:8000", "127.0.0.1.nip.io", "[::2]", "localhost@evil.example", ""]
    )
    def test_are_refused_to_names_that_only_look_like_ours(self, client: httpx.Client, host: str):
        assert client.get("/v1/jobs", headers={"Host": host}).status_code in {400, 421}


class TestKeys:
    def test_stand_in_no_log_and_in_no_table(
        self, client: httpx.Client, services: Services, settings: Settings, caplog: pytest.LogCaptureFixture
    ):
        caplog.set_level(logging.DEBUG)
        asked: list[str] = []

        def note(_connection, _cursor, statement, parameters, *_):
            asked.append(f"{statement} {parameters}")

        event.listen(services.database.engine, "before_cursor_execute", note)
        made = client.post("/v1/keys", json={"name": "mine", "scope": "write"}).json()["key"]
        wrong = "pretext_wrong-key-that-somebody-mistyped"
        for key in (KEY, made, wrong):
            client.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"})
            client.post("/v1/jobs", content=b"{", headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        event.remove(services.database.engine, "before_cursor_execute", note)
        services.database.engine.dispose()
        ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]  # the tests' own client
        told = "\n".join(record.getMessage() for record in ours)
        with sqlite3.connect(settings.data_dir / "pretext.db") as database:
            kept = "\n".join(database.iterdump())
        for key in (KEY, made, wrong):
            assert key not in told
            assert key not in kept
        assert "api_keys" in kept
        # A key is looked for by its hash alone: how long that takes tells nothing of its letters.
        of_keys = [one for one in asked if "api_keys" in one and "WHERE" in one]
        assert of_keys
        assert not [one for one in of_keys if made in one or wrong in one]
