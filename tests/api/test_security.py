import re

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx import Client

OPEN = {"/", "/docs", "/docs/start.js", "/healthz", "/readyz"}


class TestKeys:
    def test_every_route_but_the_open_ones_wants_a_key(self, app: FastAPI, stranger: Client):
        schema = app.openapi()
        walked = 0
        for path, methods in schema["paths"].items():
            for method in methods:
                answer = stranger.request(method, re.sub(r"{\w+}", "1", path))
                walked += 1
                if path in OPEN:
                    assert answer.status_code == 200, path
                else:
                    assert answer.status_code == 401, (method, path)
                    assert answer.json()["code"] == "unauthorized"
                    assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert walked >= 18
        hidden = {route.path for route in app.routes if isinstance(route, APIRoute) and not route.include_in_schema}
        schema_paths = {*schema["paths"]}
        assert {path for path in hidden if path not in OPEN} <= schema_paths  # a HEAD beside a GET that was walked

    @pytest.mark.parametrize("value", ["Bearer wrong", "Basic abc", "Bearer", "pretext_test-key"])
    def test_a_wrong_key_is_as_good_as_none(self, stranger: Client, value: str):
        assert stranger.get("/v1/jobs", headers={"Authorization": value}).status_code == 401

    def test_a_head_request_wants_a_key_too(self, stranger: Client):
        assert stranger.head("/v1/models/model_1/files/config.json").status_code == 401


class TestGate:
    def test_other_names_are_refused(self, client: Client):
        answer = client.get("/v1/jobs", headers={"Host": "attacker.example"})
        assert answer.status_code == 421
        assert "PRETEXT_ALLOWED_HOSTS" in answer.json()["detail"]

    @pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"])
    def test_local_names_are_allowed(self, client: Client, host: str):
        assert client.get("/v1/jobs", headers={"Host": host}).status_code == 200

    def test_pages_of_other_sites_are_refused(self, client: Client):
        answer = client.get("/v1/jobs", headers={"Origin": "https://attacker.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
        assert client.get("/v1/jobs", headers={"Origin": "http://localhost:8000"}).status_code == 200

    def test_every_answer_has_an_id_and_tells_browsers_to_be_careful(self, stranger: Client):
        for path in ("/healthz", "/v1/jobs", "/nowhere", "/docs"):
            headers = stranger.get(path).headers
            assert headers["X-Request-Id"].startswith("req_")
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src" in headers["Content-Security-Policy"]

    def test_a_huge_json_body_is_not_read(self, client: Client):
        answer = client.post("/v1/jobs", content=b" " * (2 << 20), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
