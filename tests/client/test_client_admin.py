import json
from datetime import UTC, datetime

import pytest
import typer
from pretext_client.cli import app
from pretext_client.cli_times import moment_of
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
        ended = [
            {**KEY, "id": "key_0", "revoked_at": TIMES["created_at"]},
            {**KEY, "id": "key_2", "expires_at": TIMES["created_at"]},
        ]
        script.on("GET", "/v1/keys", page(KEY, *ended))
        rows = [line.split("\t") for line in pretext(script, "keys", "--member", "member_1").stdout.splitlines()[1:]]
        assert [row[3] for row in rows] == ["valid", "revoked", "expired"]
        assert script.seen[0].query["member_id"] == "member_1"
        script.on("GET", "/v1/members", page(*[MEMBER]))
        assert "ada@example.org" in pretext(script, "members").stdout
        script.on("GET", "/v1/projects", page(*[PROJECT]))
        assert "unbound" in pretext(script, "projects").stdout

    def test_tells_what_is_used(self, script):
        script.on("GET", "/v1/projects/current", answer(PROJECT))
        script.on("GET", "/v1/projects/proj_1/usage", answer(USAGE))
        told = pretext(script, "projects", "usage").stdout
        assert "2026-11-02  cuda  1:00:00  3 attempts" in told
        assert "1.0 kB  total of 1.0 GB" in told
        assert "2 jobs run now; 1:00:00 of GPU time" in told

    def test_asks_before_it_deletes_a_project(self, script):
        script.on("GET", "/v1/projects/proj_1", answer(PROJECT))
        assert pretext(script, "projects", "delete", "proj_1", input="n\n").exit_code == 1
        assert [one.method for one in script.seen] == ["GET"]
        script.on("GET", "/v1/projects/proj_1", answer(PROJECT))
        script.on("DELETE", "/v1/projects/proj_1", answer(b"", 204))
        assert pretext(script, "projects", "delete", "proj_1", "--yes").exit_code == 0

    def test_a_key_expires_at_the_end_of_a_day(self, script):
        script.on("POST", "/v1/keys", answer({**KEY, "key": "pretext_abcdefgh"}, 201))
        pretext(script, "keys", "create", "ci", "--expires", "2199-12-30")
        assert json.loads(script.seen[0].body)["expires_at"] == datetime(2199, 12, 31).astimezone().isoformat()
        assert pretext(script, "keys", "create", "ci", "--expires", "2199-12-30", "--days", "2").exit_code == 2

    def test_changes_keys_and_members(self, script):
        script.on("PATCH", "/v1/keys/key_1", answer(KEY))
        assert pretext(script, "keys", "rename", "key_1", "ci").stdout == "key_1  ci\n"
        script.on("PATCH", "/v1/members/member_1", answer(MEMBER))
        told = pretext(script, "members", "update", "member_1", "--role", "read", "--email", "").stdout
        assert told == "member_1  Ada, write, ada@example.org\n"
        assert [json.loads(one.body) for one in script.seen] == [{"name": "ci"}, {"role": "read", "email": None}]
        assert pretext(script, "members", "update", "member_1").exit_code == 2

    def test_shows_the_key_that_asks(self, script):
        script.on("GET", "/v1/keys/current", answer(KEY))
        assert "ci (pretext_abcdef…): valid, for write" in pretext(script, "keys", "show").stdout

    def test_narrows_the_audit_log(self, script):
        script.on("GET", "/v1/audit", page())
        span = ("--since", "2026-11-02", "--until", "2026-11-03T10:00Z")
        assert pretext(script, "audit", "--outcome", "denied", "--key", "key_1", *span).exit_code == 0
        asked = script.seen[0].query
        assert (asked["outcome"], asked["key_id"]) == ("denied", "key_1")
        assert datetime.fromisoformat(asked["created_after"]) == datetime(2026, 11, 2).astimezone()
        assert datetime.fromisoformat(asked["created_before"]) == datetime(2026, 11, 3, 10, tzinfo=UTC)
        wrong = pretext(script, "audit", "--since", "yesterday")
        assert (wrong.exit_code, "write a day" in wrong.stderr) == (2, True)

    @pytest.mark.parametrize(
        "arguments",
        [
            ("keys",),
            ("keys", "show", "key_1"),
            ("keys", "rename", "key_1", "ci"),
            ("keys", "revoke", "key_1"),
            ("members",),
            ("members", "show", "member_1"),
            ("members", "update", "member_1", "--name", "Ada"),
            ("members", "remove", "member_1"),
            ("projects",),
            ("projects", "show"),
            ("projects", "update", "proj_1", "--unbound"),
            ("usage",),
            ("workers",),
            ("audit",),
        ],
        ids=" ".join,
    )
    def test_gives_all_as_json(self, script, arguments: tuple[str, ...]):
        for path, record in {"keys/key_1": KEY, "members/member_1": MEMBER, "projects/proj_1": PROJECT}.items():
            for method in ("GET", "PATCH", "DELETE"):
                script.on(method, f"/v1/{path}", answer(record))
            script.on("GET", f"/v1/{path.partition('/')[0]}", page(record))
        script.on("GET", "/v1/projects/current", answer(PROJECT))
        script.on("GET", "/v1/projects/proj_1/usage", answer(USAGE))
        script.on("GET", "/v1/workers", page())
        script.on("GET", "/v1/audit", page())
        result = pretext(script, *arguments, "--json")
        assert result.exit_code == 0
        assert isinstance(json.loads(result.stdout), list if len(arguments) == 1 and arguments != ("usage",) else dict)


class TestTimes:
    def test_are_of_this_machine_unless_they_name_a_zone(self):
        assert moment_of("2026-11-02", "--x") == datetime(2026, 11, 2).astimezone()
        assert moment_of("2026-11-02", "--x", end=True) == datetime(2026, 11, 3).astimezone()
        assert moment_of("2026-11-02 10:30", "--x", end=True) == datetime(2026, 11, 2, 10, 30).astimezone()
        assert moment_of("2026-11-02T10:30+02:00", "--x") == datetime(2026, 11, 2, 8, 30, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "9999-12-31", "2026-11-02T25:00"])
    def test_that_are_none_are_told(self, text: str):
        with pytest.raises(typer.BadParameter, match="is no time"):
            moment_of(text, "--x", end=True)
