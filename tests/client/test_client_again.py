import json

import pytest
from pretext_client import Conflict, jobs
from pretext_client.cli import app
from typer.testing import CliRunner

from tests.client.faults import DATASET, JOB, answer, hang_up, page, problem
from tests.client.test_client_jobs import DONE

LOGS = "/v1/jobs/job_1/logs"
ESTIMATE = {
    "object": "job.estimate",
    "kind": "pretrain",
    "spec": {},
    "memory": {"total_bytes": 1_500_000_000, "activations_bytes": 1_000_000_000, "known": "computed"},
    "time": {"seconds": 3661.0, "seconds_per_epoch": 36.6, "samples_per_second": 546.0, "known": "measured", "basis": "1 training"},
    "disk": {"cache_bytes": 6_144_000, "known": "computed"},
    "workers": [
        {"device": "cpu", "device_name": "A CPU", "count": 2, "memory_bytes": 10**9, "needed_bytes": 15 * 10**8, "fits": False}
    ],
    "largest_batch_size": 64,
    "note": None,
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.01)


@pytest.fixture
def pretext(script):
    return lambda *arguments: CliRunner().invoke(app, ["--url", script.url, "--api-key", "k", *arguments])


def part(text: str, start: int = 0):
    size = len(text.encode())
    return answer(text.encode(), Log_Start=str(start), Log_End=str(start + size), Log_First="0")


class TestRetry:
    def test_sends_what_is_asked_for_once(self, script, client):
        script.on("POST", "/v1/jobs/job_0/retry", problem(503), answer({**JOB, "retry_of": "job_0"}, 201))
        job = client.jobs.retry("job_0", from_start=True)
        assert (job.id, job.retry_of) == ("job_1", "job_0")
        first, second = script.sent("POST", "/v1/jobs/job_0/retry")
        assert json.loads(first.body) == {"from_start": True, "again": False}
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]

    def test_command(self, script, pretext):
        script.on("POST", "/v1/jobs/job_0/retry", answer({**JOB, "state": "queued"}, 201), problem(409, detail="it is paused"))
        assert pretext("retry", "job_0", "--again").stdout.startswith("job_1  queued, retries job_0. Watch it with: pretext ")
        assert json.loads(script.seen[-1].body)["again"] is True
        refused = pretext("retry", "job_0")
        assert (refused.exit_code, "it is paused" in refused.stderr) == (1, True)

    def test_a_conflict_is_one(self, script, client):
        script.on("POST", "/v1/jobs/job_0/retry", problem(409))
        with pytest.raises(Conflict):
            client.jobs.retry("job_0")


class TestEstimate:
    def test_asks_as_a_job_would(self, script, client):
        script.on("POST", "/v1/jobs/estimate", answer(ESTIMATE))
        told = client.jobs.estimate("ds_1", task="rotation", encoder="tiny", batch_size=64)
        assert json.loads(script.seen[-1].body) == {
            "kind": "pretrain",
            "dataset_id": "ds_1",
            "task": {"name": "rotation"},
            "encoder": {"name": "tiny"},
            "batch_size": 64,
        }
        assert (told.memory.total_bytes, told.time.known, told.workers[0].fits) == (1_500_000_000, "measured", False)

    def test_command(self, script, pretext):
        script.on("GET", "/v1/datasets", page(DATASET))
        script.on("POST", "/v1/jobs/estimate", answer(ESTIMATE))
        result = pretext("estimate", "pictures", "--task", "simclr", "--set", "batch_size=64")
        assert result.exit_code == 0, result.stderr
        assert "memory  1.5 GB (computed): " in result.stdout
        assert "time    1:01:01 (measured: 1 training), 0:37 an epoch, 546 samples/s" in result.stdout
        assert "worker  2 x A CPU: does not fit, 1.5 GB of 1.0 GB" in result.stdout
        assert "largest batch_size that fits: 64" in result.stdout


class TestLogs:
    def test_are_followed_to_the_end_without_loss(self, script, client):
        script.on("GET", "/v1/jobs/job_1", answer(JOB), answer(JOB), answer(DONE))
        script.on("GET", LOGS, part("one\n"), hang_up, part("two ä\n", 4), part("", 11))
        assert list(client.jobs.logs("job_1", follow=True)) == ["one\n", "two ä\n"]
        asked = [one.query.get("after") for one in script.sent("GET", LOGS)]
        assert asked == [None, "4", "4"]

    def test_say_what_is_gone(self, script, client):
        script.on("GET", LOGS, part("later\n", 100))
        assert list(client.jobs.logs("job_1")) == ["[… 100 bytes are not kept any more …]\n", "later\n"]
        assert list(client.jobs.logs("job_1", lines=1)) == ["later\n"]
        assert script.seen[-1].query == {"lines": "1"}

    def test_command_does_nothing_to_a_terminal(self, script, pretext):
        script.on("GET", LOGS, part("fine\n\x1b[31mred\n"))
        assert pretext("logs", "job_1").stdout == "fine\n\ufffd[31mred\n"


class TestCheckpointsAndMetrics:
    def test_checkpoints(self, script, client, pretext):
        one = {"step": 20, "bytes": 7000, "at": "2026-11-25T20:00:00Z", "attempt": 1, "available": True}
        script.on("GET", "/v1/jobs/job_1/checkpoints", page(one))
        (found,) = client.jobs.checkpoints("job_1")
        assert (found.step, found.bytes, found.available) == (20, 7000, True)
        assert "20\t1\t7.0 kB" in pretext("jobs", "checkpoints", "job_1").stdout

    def test_metrics_are_asked_for_in_fewer_points(self, script, client):
        script.on("GET", "/v1/jobs/job_1/metrics", page({"step": 1, "epoch": 1, "at": "2026-11-25T20:00:00Z", "values": {}}))
        assert [one.step for one in client.jobs.metrics("job_1", points=50, names=["loss"])] == [1]
        assert (script.seen[-1].query["points"], script.seen[-1].query["name"]) == ("50", "loss")
