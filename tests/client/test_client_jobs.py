import json
import threading
import time

import pytest
from pretext_client import ConnectionFailed, JobFailed, WaitTimedOut, jobs, sse

from tests.client.faults import DATASET, JOB, answer, cut, hang_up, page, problem

EVENTS = "/v1/jobs/job_1/events"
DONE = {**JOB, "state": "succeeded", "model_id": "model_1"}


def told(seq: int, type_: str = "log", **data: object) -> bytes:
    event = {"seq": seq, "type": type_, "at": "2026-11-02T10:00:00Z", "attempt": 1, "data": data}
    return f"id: {seq}\nevent: {type_}\ndata: {json.dumps(event)}\n\n".encode()


def progressed(step: int, steps: int | None = None) -> bytes:
    progress = {"phase": "train", "step": step, "done": step, "total": steps, "unit": "steps"}
    return f"event: progress\ndata: {json.dumps(progress)}\n\n".encode()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.01)


class TestFollow:
    def test_reads_events_and_progress_to_the_end(self, script, client):
        script.on("GET", EVENTS, answer(told(1, "state", state="running") + b": still here\n\n" + progressed(7)))
        script.on("GET", "/v1/jobs/job_1", answer(DONE))
        first, second = client.jobs.events("job_1", follow=True)
        assert (first.seq, first.type, first.data) == (1, "state", {"state": "running"})
        assert (second.seq, second.type, second.data["step"]) == (None, "progress", 7)

    def test_goes_on_behind_the_last_event_where_it_breaks_off(self, script, client):
        whole = told(1) + told(2) + progressed(1) + told(3)
        script.on("GET", EVENTS, cut(whole, len(told(1) + told(2)) + 9), hang_up, problem(503), answer(told(3)))
        script.on("GET", "/v1/jobs/job_1", answer(DONE))
        assert [event.seq for event in client.jobs.events("job_1", follow=True)] == [1, 2, 3]
        assert [one.headers["last-event-id"] for one in script.sent("GET", EVENTS)] == ["0", "2", "2", "2"]

    def test_goes_on_if_the_stream_ends_before_the_job(self, script, client):
        script.on("GET", EVENTS, answer(told(1)), answer(told(2)))
        script.on("GET", "/v1/jobs/job_1", answer(JOB), answer(DONE))
        assert [event.seq for event in client.jobs.events("job_1", follow=True)] == [1, 2]

    def test_loses_its_patience(self, script, client):
        script.on("GET", EVENTS, hang_up)
        with pytest.raises(ConnectionFailed):
            list(client.jobs.events("job_1", follow=True, patience=0.05))
        assert len(script.sent("GET", EVENTS)) > 2

    def test_shows_an_event_as_soon_as_it_comes(self, script, client):
        shown = threading.Event()

        def slowly(handler):
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.write(told(1))
            handler.wfile.flush()
            assert shown.wait(5)
            handler.close_connection = True

        script.on("GET", EVENTS, slowly)
        script.on("GET", "/v1/jobs/job_1", answer(DONE))
        for event in client.jobs.events("job_1", follow=True):
            assert event.seq == 1
            shown.set()
        assert shown.is_set()


class TestStreamFormat:
    def test_lines_are_put_together_across_chunks(self):
        assert list(sse.lines([b"a\r\nb", b"c\n", "ü\u2028\n".encode()[:1], "ü\u2028\n".encode()[1:]])) == ["a", "bc", "ü\u2028"]

    def test_data_may_have_several_lines(self):
        (message,) = sse.messages(["event: log", "data: a", "data:b", "", "data: cut off"])
        assert (message.type, message.data, message.id) == ("log", "a\nb", None)


class TestWait:
    def test_shows_the_job_when_it_changes(self, script, client):
        moved = {**JOB, "progress": {"phase": "train", "step": 3, "done": 3, "total": 9, "new_field": 1}}
        script.on("GET", "/v1/jobs/job_1", answer(JOB), answer(JOB), answer(moved), answer(DONE))
        shown: list[tuple[str, int | None]] = []
        job = client.jobs.wait("job_1", on_progress=lambda one: shown.append((one.state, one.progress and one.progress.step)))
        assert job.model_id == "model_1"
        assert shown == [("running", None), ("running", 3), ("succeeded", None)]

    def test_gives_up_in_time(self, script, client):
        script.on("GET", "/v1/jobs/job_1", answer(JOB))
        began = time.monotonic()
        with pytest.raises(WaitTimedOut, match="has not ended within"):
            client.jobs.wait("job_1", timeout=0.05)
        assert time.monotonic() - began < 2

    def test_bears_a_server_that_starts_again(self, script, client):
        script.on("GET", "/v1/jobs/job_1", answer(JOB), *[hang_up] * 5, answer(DONE))
        assert client.jobs.wait("job_1").state == "succeeded"

    def test_raises_on_request_if_it_failed(self, script, client):
        failed = {**JOB, "state": "failed", "error": {"code": "diverged", "message": "the loss is not finite"}}
        script.on("GET", "/v1/jobs/job_1", answer(failed))
        assert client.jobs.wait("job_1").error.code == "diverged"
        with pytest.raises(JobFailed, match="the loss is not finite"):
            client.jobs.wait("job_1", check=True)


class TestWaitForDataset:
    def test_waits_for_its_ingest(self, script, client):
        script.on("GET", "/v1/datasets/ds_1", answer({**DATASET, "state": "ingesting", "job_id": "job_1"}), answer(DATASET))
        script.on("GET", "/v1/jobs/job_1", answer(JOB), answer(DONE))
        assert client.datasets.wait("ds_1").images == 3

    def test_tells_why_it_failed(self, script, client):
        error = {"code": "no_images", "message": "none of the 3 files is an image"}
        script.on("GET", "/v1/datasets/ds_1", answer({**DATASET, "state": "failed", "error": error}))
        with pytest.raises(JobFailed, match="none of the 3 files"):
            client.datasets.wait("ds_1")


class TestCreate:
    def test_sends_what_was_asked_for(self, script, client):
        script.on("POST", "/v1/jobs", answer(JOB, 201))
        client.jobs.create(
            "ds_1", task={"name": "rotation", "rotations": "one"}, encoder="tiny", steps=30, optimizer={"name": "sgd"}
        )
        assert json.loads(script.seen[0].body) == {
            "kind": "pretrain",
            "dataset_id": "ds_1",
            "task": {"name": "rotation", "rotations": "one"},
            "encoder": {"name": "tiny"},
            "steps": 30,
            "optimizer": {"name": "sgd"},
        }

    @pytest.mark.parametrize(("kind", "task"), [("image", "rotation"), ("video", "video_rotation")])
    def test_asks_for_a_rotation_of_what_is_there(self, script, client, kind, task):
        script.on("GET", "/v1/datasets/ds_1", answer({**DATASET, "kind": kind}))
        script.on("POST", "/v1/jobs", answer(JOB, 201))
        client.jobs.create("ds_1")
        assert json.loads(script.seen[-1].body)["task"] == {"name": task}


class TestReport:
    def test_lists_all_that_was_refused(self, script, client):
        def report(more: bool, *names: str) -> object:
            refused = [{"name": name, "code": "not_an_image", "reason": "it is a text"} for name in names]
            page_ = {"object": "list", "data": refused, "has_more": more}
            return answer({"object": "dataset.report", "dataset_id": "ds_1", "report": {"images": 3}, "refused": page_})

        script.on("GET", "/v1/datasets/ds_1/report", report(True, "a", "b"), report(True, "a", "b"), report(False, "c"))
        told = client.datasets.report("ds_1")
        assert ([one.name for one in told.refused], told.more_refused) == (["a", "b"], True)
        assert [one.name for one in client.datasets.refused("ds_1")] == ["a", "b", "c"]
        assert script.seen[-1].query["after"] == "2"

    def test_lists_samples(self, script, client):
        samples = [{"index": number, "path": f"{number}.png", "width": 4, "height": 3} for number in range(2)]
        script.on("GET", "/v1/datasets/ds_1/samples", page(samples[0], more=True), page(samples[1]))
        assert [one.path for one in client.datasets.samples("ds_1")] == ["0.png", "1.png"]
        assert script.seen[-1].query["after"] == "0"
