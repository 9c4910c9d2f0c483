"""The half of the client for `await`, which is made from the one for threads, and the values that are bound to their client."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from pretext_client import AsyncJob, AsyncPretext, JobFailed, NotFound, Pretext, PretextError, Retry, jobs
from pretext_client.aio import jobs as aio_jobs

from tests.client.faults import DATASET, JOB, answer, page, problem
from tests.client.test_client_download import CONTENT, ETAG, FILE, model, ranged
from tests.client.test_client_jobs import DONE, EVENTS, progressed, told

MAKE = Path(jobs.__file__).parents[1] / "make_async"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    for module in (jobs, aio_jobs):
        monkeypatch.setattr(module, "_POLL_SECONDS", 0.01)


def awaited(script, use):
    """Run a coroutine function with a client."""

    async def main():
        async with AsyncPretext(script.url, "secret", retry=Retry(first_seconds=0.01), timeout=5) as pretext:
            return await use(pretext)

    return anyio.run(main)


def test_is_current():
    made = subprocess.run([sys.executable, str(MAKE), "--check"], capture_output=True, text=True, check=False, timeout=60)
    assert (made.returncode, made.stderr) == (0, "")


def test_has_all_that_the_half_for_threads_has():
    def names(of: object) -> set[str]:
        return {name for name in dir(of) if not name.startswith("_")}

    with Pretext("http://h", "k") as sync:

        async def main() -> None:
            async with AsyncPretext("http://h", "k") as other:
                assert names(other) == names(sync)
                for resource in ("datasets", "jobs", "models", "evaluations", "embeddings", "webhooks", "uploads", "keys"):
                    assert names(getattr(other, resource)) == names(getattr(sync, resource)), resource

        anyio.run(main)


class TestAwait:
    def test_fetches_pages_as_needed(self, script):
        script.on("GET", "/v1/jobs", page(JOB, more=True), page({**JOB, "id": "job_2"}))

        async def use(pretext):
            return [job.id async for job in pretext.jobs.list()]

        assert awaited(script, use) == ["job_1", "job_2"]
        assert script.seen[1].query["after"] == "job_1"

    def test_fetches_no_more_than_was_asked_for(self, script):
        script.on("GET", "/v1/datasets", page(DATASET, more=True))

        async def use(pretext):
            return [one.id async for one in pretext.datasets.list(limit=1, after="ds_0")]

        assert awaited(script, use) == ["ds_1"]
        assert [(one.query["limit"], one.query["after"]) for one in script.seen] == [("1", "ds_0")]

    def test_trains_and_downloads(self, script, tmp_path):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("POST", "/v1/jobs", answer(JOB, 201))
        script.on("GET", "/v1/jobs/job_1", answer(JOB), answer(DONE))
        script.on("GET", "/v1/models/model_1", answer(model()))
        script.on("GET", FILE, ranged(CONTENT, ETAG))
        shown, fetched = [], []

        async def use(pretext):
            dataset = await pretext.datasets.get("ds_1")
            job = await dataset.train("rotation", "tiny", steps=3)
            job = await job.wait(check=True, on_progress=lambda one: shown.append(one.state))
            found = await job.model()
            return await found.download(tmp_path, on_progress=lambda done, total: fetched.append((done, total)))

        assert awaited(script, use) == (tmp_path / "encoder.safetensors",)
        assert (tmp_path / "encoder.safetensors").read_bytes() == CONTENT
        assert shown == ["running", "succeeded"]
        assert fetched[-1] == (len(CONTENT), len(CONTENT))

    def test_follows_events_until_it_is_told_to_stop(self, script):
        script.on("GET", EVENTS, answer(told(1, "state", state="running") + progressed(7)))
        script.on("GET", "/v1/jobs/job_1", answer(DONE))

        async def use(pretext):
            whole = [event.type async for event in pretext.jobs.events("job_1", follow=True)]
            return whole, [event.type async for event in pretext.jobs.events("job_1", follow=True, stop=lambda: True)]

        assert awaited(script, use) == (["state", "progress"], [])

    def test_sends_parts_of_an_upload(self, script):
        script.on("PATCH", "/v1/uploads/up_1", answer(b"", 204, upload_offset="3"))

        async def use(pretext):
            return await pretext.uploads.append("up_1", 0, b"abc")

        assert awaited(script, use).offset == 3
        assert script.seen[0].body == b"abc"

    def test_repeats_what_the_server_could_not_answer(self, script):
        script.on("GET", "/v1/jobs/job_1", problem(503), answer(JOB))

        async def use(pretext):
            return await pretext.jobs.get("job_1")

        assert isinstance(awaited(script, use), AsyncJob)
        assert len(script.seen) == 2

    def test_raises_the_same_errors(self, script):
        script.on("GET", "/v1/models/model_9", problem(404, code="not_found"))

        async def use(pretext):
            await pretext.models.get("model_9")

        with pytest.raises(NotFound):
            awaited(script, use)

    def test_leaves_the_loop_to_others_while_it_waits(self, script):
        script.on("GET", "/v1/jobs/job_1", answer(JOB), answer(JOB), answer(DONE))
        ticks = []

        async def use(pretext):
            async def tick() -> None:
                while True:
                    ticks.append(1)
                    await anyio.lowlevel.checkpoint()

            async with anyio.create_task_group() as group:
                group.start_soon(tick)
                job = await pretext.jobs.wait("job_1")
                group.cancel_scope.cancel()
            return job

        assert awaited(script, use).state == "succeeded"
        assert len(ticks) > 10


class TestBound:
    def test_a_value_does_what_its_resource_does(self, script, client):
        script.on("GET", "/v1/jobs/job_1", answer(JOB))
        script.on("POST", "/v1/jobs/job_1/pause", answer({**JOB, "state": "pausing"}))
        job = client.jobs.get("job_1")
        assert job.pause().state == "pausing"
        assert job.state == "running"

    def test_wait_checks(self, script, client):
        script.on("GET", "/v1/jobs/job_1", answer(JOB), answer({**JOB, "state": "cancelled"}))
        with pytest.raises(JobFailed, match="was cancelled"):
            client.jobs.get("job_1").wait(check=True)

    def test_a_model_that_is_not_made_yet_is_not_asked_for(self, script, client):
        script.on("GET", "/v1/jobs/job_1", answer(JOB))
        with pytest.raises(PretextError, match="has no model: it is running and has not ended"):
            client.jobs.get("job_1").model()

    def test_a_copy_has_no_client_and_says_so(self, script, client):
        script.on("GET", "/v1/jobs/job_1", answer(JOB))
        copy = pickle.loads(pickle.dumps(client.jobs.get("job_1")))
        assert copy == client.jobs.get("job_1")
        with pytest.raises(PretextError, match="read it anew by its id"):
            copy.cancel()

    def test_a_dataset_made_of_an_upload_is_bound(self, script, client):
        script.on("POST", "/v1/datasets", answer(DATASET, 201))
        script.on("POST", "/v1/jobs", answer(JOB, 201))
        made = client.datasets.create("up_1", name="mine")
        assert made.train("rotation").id == "job_1"
        assert json.loads(script.seen[0].body) == {"upload_id": "up_1", "name": "mine", "kind": "auto"}
