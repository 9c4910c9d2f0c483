import json
from datetime import UTC, datetime

from pretext_client.cli import app
from typer.testing import CliRunner

from tests.client.faults import answer, page

TIMES = {"created_at": "2026-11-02T10:00:00Z"}
KEY = {"id": "key_1", "name": "ci", "prefix": "pretext_abcdef", "scope": "write", **TIMES}
MEMBER = {"id": "member_1", "name": "Ada", "role": "write", "email": "ada@example.org", **TIMES}
PROJECT = {"id": "proj_1", "name": "lab", "operator": False, "most_bytes": 10**9, "most_running": None, **TIMES}
USAGE = {
    "project_id": "proj_1",
    "stored": {"datasets": 1000, "total": 1000},
    "running": 2,
    "gpu_seconds": 3600.0,
    "days": [{"day": "2026-11-02", "device": "cuda", "seconds": 3600.0, "jobs": 3}],
}


def pretext(script, *arguments: str, **more):
    result = CliRunner().invoke(app, ["--url", script.url, "--api-key", "k", *arguments], **more)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


class TestClient:
    def test_makes_keys_once(self, script, client):
        script.on("POST", "/v1/keys", answer({**KEY, "key": "pretext_abcdefgh"}, 201))
        made = client.keys.create("ci", expires_at=datetime(2027, 1, 1, tzinfo=UTC), project_id="proj_1")
        assert (made.key, made.scope) == ("pretext_abcdefgh", "write")
        (asked,) = script.seen
        assert asked.query == {"project_id": "proj_1"}
        assert json.loads(asked.body)["expires_at"] == "2027-01-01T00:00:00+00:00"

    def test_changes_what_is_said(self, script, client):
        script.on("PATCH", "/v1/projects/proj_1", answer(PROJECT))
        assert client.projects.update("proj_1", most_running=None).most_bytes == 10**9
        assert json.loads(script.seen[0].body) == {"most_running": None}


class TestCommand:
    def test_prints_a_new_key_alone_on_standard_output(self, script):
        script.on("POST", "/v1/keys", answer({**KEY, "key": "pretext_abcdefgh"}, 201))
        result = pretext(script, "keys", "create", "ci", "--days", "3")
        assert result.stdout == "pretext_abcdefgh\n"
        assert json.loads(script.seen[0].body)["expires_at"] is not None

    def test_lists(self, script):
        script.on("GET", "/v1/keys", page(*[KEY, {**KEY, "id": "key_0", "revoked_at": TIMES["created_at"]}]))
        assert "revoked" in pretext(script, "keys").stdout
        script.on("GET", "/v1/members", page(*[MEMBER]))
        assert "ada@example.org" in pretext(script, "members").stdout
        script.on("GET", "/v1/projects", page(*[PROJECT]))
        assert "unbound" in pretext(script, "projects").stdout

    def test_tells_what_is_used(self, script):
        script.on("GET", "/v1/projects/current", answer(PROJECT))
        script.on("GET", "/v1/projects/proj_1/usage", answer(USAGE))
        told = pretext(script, "projects", "usage").stdout
        assert "2026-11-02  cuda  1:00:00  3 attempts" in told

    def test_asks_before_it_deletes_a_project(self, script):
        script.on("GET", "/v1/projects/proj_1", answer(PROJECT))
        assert pretext(script, "projects", "delete", "proj_1", input="n\n").exit_code == 1
        assert [one.method for one in script.seen] == ["GET"]
        script.on("GET", "/v1/projects/proj_1", answer(PROJECT))
        script.on("DELETE", "/v1/projects/proj_1", answer(b"", 204))
        assert pretext(script, "projects", "delete", "proj_1", "--yes").exit_code == 0
