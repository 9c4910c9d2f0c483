"""What the command's groups have in common: names, JSON, colours, exit statuses, profiles, completion."""

import json
import os
import stat
import subprocess
import sys

import pytest
from pretext_client import jobs, profiles
from pretext_client.cli import app
from pretext_client.errors import PretextError
from pretext_client.places import find
from pretext_client.profiles import Profile
from typer.testing import CliRunner

from tests.client.faults import DATASET, JOB, answer, page, problem
from tests.client.test_client_cli import pretext  # noqa: F401  a fixture
from tests.client.test_client_download import model
from tests.client.test_client_jobs import DONE, EVENTS, progressed, told

PROJECT = {"id": "proj_1", "name": "lab", "created_at": "2026-11-02T10:00:00Z"}
EARLY = {
    **DONE,
    "spec": {"steps": 300, "early_stopping": {"metric": "auto"}, "optimizer": {"learning_rate": 0.1}},
    "progress": {"phase": "export", "step": 120},
    "verdict": {"state": "plateau", "sentence": "no gain since epoch 3"},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.01)


class TestGroups:
    @pytest.mark.parametrize("group", ["datasets", "jobs", "models", "evaluations", "embeddings", "tasks", "encoders", "keys"])
    def test_list_by_themselves_and_by_list(self, script, pretext, group):  # noqa: F811
        script.on("GET", f"/v1/{group}", page())
        alone, named = pretext(group), pretext(group, "list")
        assert alone.exit_code == named.exit_code == 0
        assert alone.stdout == named.stdout
        assert len(script.seen) == 2

    def test_options_of_a_list_reach_the_server_both_ways(self, script, pretext):  # noqa: F811
        script.on("GET", "/v1/jobs", page())
        for words in (["jobs", "--state", "running"], ["jobs", "list", "--state", "running"]):
            assert pretext(*words).exit_code == 0
            assert script.seen[-1].query["state"] == "running"

    def test_short_verbs_are_those_of_the_groups(self, script, pretext):  # noqa: F811
        script.on("POST", "/v1/jobs/job_1/cancel", answer({**JOB, "state": "cancelling"}))
        assert pretext("cancel", "job_1").stdout == pretext("jobs", "cancel", "job_1").stdout

    @pytest.mark.parametrize(
        "words", [["--json", "jobs", "show", "job_1"], ["jobs", "--json", "show", "job_1"], ["jobs", "show", "job_1", "--json"]]
    )
    def test_take_json_anywhere(self, script, pretext, words):  # noqa: F811
        script.on("GET", "/v1/jobs/job_1", answer(JOB))
        assert json.loads(pretext(*words).stdout) == JOB

    def test_colours_are_for_terminals_alone(self, script, pretext, monkeypatch):  # noqa: F811
        monkeypatch.delenv("FORCE_COLOR", raising=False)
        script.on("GET", "/v1/datasets", page(DATASET))
        assert "\x1b[" not in pretext("datasets").stdout
        assert "\x1b[32mready" in pretext("--color", "always", "datasets").stdout

    @pytest.mark.parametrize(("status", "code"), [(401, 4), (403, 4), (404, 1), (422, 1)])
    def test_exit_statuses(self, script, pretext, status, code):  # noqa: F811
        script.on("GET", "/v1/jobs", problem(status))
        assert pretext("jobs").exit_code == code


class TestJobs:
    def test_watch_comes_back_when_it_is_paused(self, script, pretext):  # noqa: F811
        paused = {**JOB, "state": "paused", "progress": {"phase": "train", "done": 96, "total": 600, "unit": "steps"}}
        script.on("GET", EVENTS, answer(progressed(96, 600) + told(1, "state", state="paused")))
        script.on("GET", "/v1/jobs/job_1", answer(paused))
        result = pretext("watch", "job_1")
        assert result.exit_code == 1
        assert result.stdout.startswith("job_1  paused at 96 of 600 steps. Let it go on with: pretext --url ")

    def test_watch_does_not_come_back_for_a_pause_that_is_over(self, script, pretext):  # noqa: F811
        script.on("GET", EVENTS, answer(told(1, "state", state="paused") + told(2, "state", state="succeeded")))
        script.on("GET", "/v1/jobs/job_1", answer(JOB), answer(DONE))
        assert pretext("watch", "job_1").stdout.startswith("job_1  succeeded: model_1\n")

    def test_one_that_stopped_early_is_shown_as_such(self, script, pretext):  # noqa: F811
        stops = told(1, "log", level="info", message="stops after 120 of 300 steps: no gain")
        script.on("GET", EVENTS, answer(progressed(120, 300) + stops))
        script.on("GET", "/v1/jobs/job_1", answer(EARLY))
        script.on("GET", "/v1/jobs", page(EARLY))
        result = pretext("watch", "job_1")
        assert "Stopped early at step 120 of 300: no gain since epoch 3" in result.stdout
        assert "Stopped early: stops after 120 of 300 steps: no gain" in result.stderr
        assert "100%" not in result.stderr
        assert "stopped early, 120 of 300 steps" in pretext("jobs").stdout

    def test_wait_is_silent_and_ends_with_the_job(self, script, pretext):  # noqa: F811
        script.on("GET", "/v1/jobs/job_1", answer(JOB), answer({**JOB, "state": "cancelled"}))
        result = pretext("jobs", "wait", "job_1")
        assert (result.exit_code, result.stdout, result.stderr) == (1, "job_1  cancelled\n", "")

    def test_metrics_and_events(self, script, pretext):  # noqa: F811
        metric = {"step": 10, "epoch": 1, "at": "2026-11-02T10:00:00Z", "values": {"loss": 1.23456, "accuracy": None}}
        script.on("GET", "/v1/jobs/job_1/metrics", page(metric))
        assert pretext("jobs", "metrics", "job_1").stdout == "step\tepoch\tloss\taccuracy\n10\t1\t1.235\t\n"
        script.on("GET", EVENTS, page({"seq": 1, "type": "state", "data": {"state": "queued"}}))
        assert pretext("jobs", "events", "job_1").stdout.splitlines()[1] == "1\t\tstate\tstate queued"


class TestOthers:
    def test_uploads_that_were_not_finished(self, script, pretext):  # noqa: F811
        upload = {"id": "up_1", "filename": "a.zip", "bytes": 2_000_000, "offset": 500_000, "complete": False}
        upload |= {"created_at": "2026-11-02T10:00:00Z", "expires_at": "2026-11-05T10:00:00Z"}
        script.on("GET", "/v1/uploads", page(upload))
        script.on("DELETE", "/v1/uploads/up_1", answer(b"", 204))
        assert "up_1\t500.0 kB of 2.0 MB\t" in pretext("uploads").stdout
        assert pretext("uploads", "delete", "up_1").stdout == "up_1  deleted\n"
        assert script.seen[-1].headers["tus-resumable"] == "1.0.0"
        assert json.loads(pretext("uploads", "delete", "up_1", "--json").stdout) == upload

    def test_samples(self, script, pretext):  # noqa: F811
        sample = {"index": 3, "path": "cat/3.png", "width": 32, "height": 24, "label": "cat"}
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("GET", "/v1/datasets/ds_1/samples", page(sample))
        assert pretext("datasets", "samples", "ds_1").stdout.splitlines()[1] == "3\tcat/3.png\t32 x 24\tcat\t"

    def test_models_of_a_dataset(self, script, pretext):  # noqa: F811
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("GET", "/v1/models", page(model()))
        assert pretext("models", "--dataset", "ds_1", "--task", "rotation", "--limit", "5").exit_code == 0
        asked = script.seen[-1].query
        assert (asked["dataset_id"], asked["task"], asked["limit"]) == ("ds_1", "rotation", "5")

    def test_the_help_has_sections_with_whole_sentences(self, pretext):  # noqa: F811
        shown = pretext("--help").stdout
        sections = [line for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
        assert sections[1:3] == ["From pictures to an encoder:", "What an encoder is good for:"]
        assert sections[-1] == "Exit status:"
        assert "..." not in shown.partition("From pictures")[2]

    def test_lines_are_broken_between_words_on_terminals_and_commands_are_not(self, script, pretext, monkeypatch):  # noqa: F811
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "30")
        script.on("GET", "/v1/jobs/job_1", answer({**DONE, "verdict": {"state": "plateau", "sentence": "no gain " * 6}}))
        told_ = pretext("jobs", "show", "job_1").stdout.splitlines()
        assert "no gain no gain no gain no" in told_
        assert any(line.startswith("Download it with: pretext --url") and line.endswith("model_1") for line in told_)


class TestSuggestions:
    def test_name_what_may_have_been_meant(self, script, pretext):  # noqa: F811
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("POST", "/v1/jobs", problem(422, detail="there is no task 'rotaton'", param="task.name"))
        script.on("GET", "/v1/tasks", page({"name": "rotation"}, {"name": "jigsaw"}))
        result = pretext("train", "ds_1", "--task", "rotaton")
        assert (result.exit_code, result.stderr) == (1, "Error: there is no task 'rotaton'. Did you mean rotation? (task.name)\n")

    def test_name_a_dataset_that_may_have_been_meant(self, script, pretext):  # noqa: F811
        script.on("GET", "/v1/datasets", page(DATASET))
        result = pretext("train", "picture")
        assert (result.exit_code, result.stderr) == (1, "Error: there is no dataset 'picture'; did you mean 'pictures'?\n")
        assert "`pretext datasets` lists" in pretext("train", "x").stderr


class TestCompare:
    def test_puts_what_differs_side_by_side(self, script, pretext):  # noqa: F811
        other = {**model(), "id": "model_2", "job_id": "job_2", "metrics": {"loss": 0.5}}
        script.on("GET", "/v1/models/model_1", answer({**model(), "job_id": "job_1", "metrics": {"loss": 0.25}}))
        script.on("GET", "/v1/models/model_2", answer(other))
        script.on("GET", "/v1/jobs/job_1", answer(EARLY))
        script.on(
            "GET",
            "/v1/jobs/job_2",
            answer({**EARLY, "id": "job_2", "spec": {**EARLY["spec"], "steps": 100, "early_stopping": None}}),
        )
        evaluation = {"id": "eval_1", "job_id": "job_3", "model_id": "model_1", "dataset_id": "ds_9", "sentence": "saves labels"}
        evaluation |= {"created_at": "2026-11-02T10:00:00Z", "metrics": {"knn": 0.75}}
        script.on("GET", "/v1/evaluations", page(evaluation), page())
        lines = [line.split("\t") for line in pretext("compare", "model_1", "model_2").stdout.splitlines()]
        assert lines[0] == ["", "model_1", "model_2"]
        rows = {name: cells for name, *cells in lines[1:]}
        assert rows["steps"] == ["300", "100"]
        assert rows["loss"] == ["0.25", "0.5"]
        assert rows["ended"] == ["stopped early, 120 of 300 steps", ""]
        assert rows["knn on ds_9"] == ["0.75", ""]
        assert "optimizer.learning_rate" not in rows

    def test_takes_two_at_least(self, script, pretext):  # noqa: F811
        assert pretext("compare", "model_1").exit_code == 2
        assert script.seen == []


class TestProfiles:
    def run(self, *words: str, stdin: str = ""):
        return CliRunner().invoke(app, [*words], input=stdin)

    def test_login_stores_what_other_commands_use(self, script):
        script.on("GET", "/v1/projects/current", answer(PROJECT))
        script.on("GET", "/v1/jobs", page())
        assert self.run("login", script.url, "--profile", "lab", stdin="the-key\n").exit_code == 0
        assert self.run("--profile", "lab", "jobs").exit_code == 0
        assert script.seen[-1].headers["authorization"] == "Bearer the-key"
        assert stat.S_IMODE(profiles.config_file().stat().st_mode) == 0o600
        assert self.run("logout", "--profile", "lab").exit_code == 0
        result = self.run("--profile", "lab", "jobs")
        assert (result.exit_code, "there is no profile 'lab'" in result.stderr) == (1, True)

    def test_a_key_that_the_server_refuses_is_not_stored(self, script):
        script.on("GET", "/v1/projects/current", problem(401))
        assert self.run("login", script.url, stdin="wrong\n").exit_code == 4
        assert profiles.read() == {}

    def test_a_stored_key_goes_to_its_own_server_alone(self):
        profiles.write({"default": Profile("https://a.example", "a-key"), "lab": Profile("https://b.example", "b-key")})
        assert (find().url, find().key) == ("https://a.example", "a-key")
        assert find("https://c.example").key is None
        assert find(profile="lab").key == "b-key"
        assert find("https://c.example", profile="lab").key is None

    def test_a_damaged_file_is_named(self):
        path = profiles.write({})
        path.write_text("[1]")
        with pytest.raises(PretextError, match="is damaged: delete it"):
            profiles.read()


class TestCompletion:
    def complete(self, words: str, **environment: str) -> str:
        settings = {
            **os.environ,
            "_PRETEXT_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        command = [sys.executable, "-m", "pretext_client.cli"]
        return subprocess.run(
            command, env={**settings, **environment}, capture_output=True, text=True, check=False, timeout=20
        ).stdout

    def test_offers_what_the_server_has(self, script):
        script.on("GET", "/v1/jobs", page(JOB, {**JOB, "id": "job_2"}))
        assert self.complete("pretext watch job_", PRETEXT_URL=script.url, PRETEXT_API_KEY="k").split() == ["job_1", "job_2"]

    def test_offers_states_and_profiles_without_a_server(self):
        profiles.write({"lab": Profile("https://b.example", "b-key")})
        assert self.complete("pretext jobs --state ca").split() == ["cancelling", "cancelled"]
        assert self.complete("pretext --profile l").split() == ["lab"]

    def test_is_silent_without_a_server(self):
        assert self.complete("pretext watch job_", PRETEXT_URL="http://127.0.0.1:9").split() == []

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_writes_a_script(self, shell):
        assert "_PRETEXT_COMPLETE" in CliRunner().invoke(app, ["completion", shell]).stdout
