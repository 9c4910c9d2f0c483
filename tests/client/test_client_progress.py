import io
import json
import re
from dataclasses import replace

import pytest
from pretext_client import jobs
from pretext_client.progress import download_with_bar, meter, show_progress, upload_with_bar, watch_job
from pretext_client.shown import bytes_, duration, harmless, spark
from pretext_client.types import Progress
from rich.console import Console

from tests.client.faults import DATASET, JOB, answer
from tests.client.test_client_download import CONTENT, ETAG, FILE, model, ranged
from tests.client.test_client_jobs import DONE, EVENTS, progressed, told

TRAINING = Progress(
    phase="train",
    done=120,
    total=300,
    unit="steps",
    epoch=8,
    epochs=20,
    loss=1.0512,
    accuracy=0.618,
    images_per_second=1234.5,
    eta_seconds=75,
)


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def console(request) -> Console:
    return Console(file=io.StringIO(), force_terminal=request.param, width=120, highlight=False)


def written(console: Console) -> str:
    return console.file.getvalue()


class TestBars:
    def test_show_a_training(self, console):
        with meter(console) as shown:
            show_progress(shown, TRAINING)
        for figure in (
            "Training",
            "40%",
            "120/300 steps",
            "epoch 8/20",
            "loss 1.051",
            "accuracy 62%",
            "1,234 images/s",
            "1:15 left",
        ):
            assert figure in written(console)

    def test_leave_nothing_out_on_a_narrow_terminal(self):
        console = Console(file=io.StringIO(), force_terminal=True, width=80)
        with meter(console) as shown:
            show_progress(shown, replace(TRAINING, done=1_234_567, total=9_999_999, epoch=1234, epochs=9999, eta_seconds=360_000))
        assert "…" not in written(console)
        assert "1,234,567/9,999,999 steps  100:00:00 left" in written(console)
        assert "epoch 1234/9999  loss 1.051  accuracy 62%  1,234 images/s" in written(console)

    def test_show_what_nobody_knows_the_end_of(self, console):
        with meter(console) as shown:
            show_progress(shown, Progress(phase="something_new", done=7))
            show_progress(shown, Progress(phase="empty", done=0, total=0))
        assert "Something_new" in written(console)

    def test_write_no_escapes_into_a_pipe(self):
        console = Console(file=io.StringIO(), force_terminal=False)
        with meter(console) as shown:
            show_progress(shown, TRAINING)
        assert "\x1b" not in written(console)

    def test_say_the_end_once_in_a_pipe(self):
        console = Console(file=io.StringIO(), force_terminal=False)
        with meter(console) as shown:
            for done in (0, 1, 299, 300, 300, 300):
                show_progress(shown, Progress(phase="train", done=done, total=300, unit="steps"))
        assert written(console).splitlines() == ["Training  0%  0/300 steps", "Training  100%  300/300 steps"]


class TestActions:
    def test_upload(self, script, client, console, tmp_path):
        script.on("POST", "/v1/datasets", answer(DATASET, 201))
        (tmp_path / "a.zip").write_bytes(bytes(500_000))
        assert upload_with_bar(client, tmp_path / "a.zip", console).id == "ds_1"
        assert "500.0 kB of 500.0 kB" in written(console)

    def test_download(self, script, client, console, tmp_path):
        script.on("GET", "/v1/models/model_1", answer(model()))
        script.on("GET", FILE, ranged(CONTENT, ETAG))
        (path,) = download_with_bar(client, "model_1", tmp_path, console)
        assert path.read_bytes() == CONTENT
        assert "1.0 MB of 1.0 MB" in written(console)

    def test_watch(self, script, client, console, monkeypatch):
        monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.01)
        progress = b'event: progress\ndata: {"phase": "train", "done": 3, "total": 4, "unit": "steps"}\n\n'
        warning = told(1, "log", level="warning", message="few images \x1b[31m")
        script.on("GET", EVENTS, answer(warning + told(2, "log", level="info", message="quiet") + progress))
        script.on("GET", "/v1/jobs/job_1", answer(DONE))
        seen: list[str] = []
        assert watch_job(client, "job_1", console, on_event=lambda event: seen.append(event.type)).state == "succeeded"
        assert seen == ["log", "log", "progress"]
        assert "Warning: few images \N{REPLACEMENT CHARACTER}[31m" in written(console)
        assert "quiet" not in written(console)
        assert "4/4 steps" in written(console)

    def test_watch_completes_what_was_over_too_soon_to_be_seen(self, script, client, monkeypatch):
        monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.01)
        console = Console(file=io.StringIO(), force_terminal=False)
        training = {"phase": "train", "done": 27, "total": 30, "unit": "steps", "loss": 1.5, "eta_seconds": 2}
        export = {"phase": "export", "done": 0, "total": 1, "unit": "models", "loss": 1.25, "epoch": 2}
        events = b"".join(f"event: progress\ndata: {json.dumps(one)}\n\n".encode() for one in (training, export))
        script.on("GET", EVENTS, answer(events))
        script.on("GET", "/v1/jobs/job_1", answer(DONE))
        watch_job(client, "job_1", console)
        assert written(console).splitlines() == [
            "Training  90%  27/30 steps  0:02 left  loss 1.500",
            "Training  100%  30/30 steps  epoch 2  loss 1.250",
            "Exporting  0%  0/1 model",
            "Exporting  100%  1/1 model",
        ]

    def test_watch_completes_nothing_that_a_worker_died_over(self, script, client, monkeypatch):
        monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.01)
        console = Console(file=io.StringIO(), force_terminal=False)
        again = told(1, "state", state="running").replace(b'"attempt": 1', b'"attempt": 2')
        decoding = b'event: progress\ndata: {"phase": "decode", "done": 2, "total": 2, "unit": "images"}\n\n'
        script.on("GET", EVENTS, answer(progressed(5, 10) + again + decoding))
        script.on("GET", "/v1/jobs/job_1", answer({**JOB, "state": "cancelled"}))
        watch_job(client, "job_1", console)
        assert written(console).splitlines() == [
            "Training  50%  5/10 steps",
            "Attempt 2: a worker has taken the job up again.",
            "Decoding  100%  2/2 images",
        ]


class TestShown:
    @pytest.mark.parametrize(
        ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (5e15, "5000.0 TB")]
    )
    def test_bytes(self, count, text):
        assert bytes_(count) == text

    @pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (3723, "1:02:03")])
    def test_durations(self, seconds, text):
        assert duration(seconds) == text

    def test_texts_lose_what_a_terminal_would_obey(self):
        assert (
            harmless("a\x1b]0;x\x07 ü\u202e\nb")
            == "a\N{REPLACEMENT CHARACTER}]0;x\N{REPLACEMENT CHARACTER} ü\N{REPLACEMENT CHARACTER}\nb"
        )


STEPS = [{"phase": "train", "done": n, "total": 2, "unit": "steps", "step": n, "loss": 3.0 - n} for n in (1, 2)]


def test_bars_leave_room_for_what_ctrl_c_writes():
    console = Console(file=io.StringIO(), force_terminal=True, width=60, color_system=None)
    with meter(console) as shown:
        shown.show("Training", 1, 2, "1/2 steps", "figures " * 20)
    drawn = [line for line in re.split(r"[\r\n]|\x1b\[[0-9;?]*[a-zA-Z]", console.file.getvalue()) if line.strip()]
    assert any("Training" in line for line in drawn)
    assert max(map(len, drawn)) == 57


class TestSpark:
    def test_shows_the_course_of_a_loss(self):
        assert spark([8, 7, 6, 5, 4, 3, 2, 1]) == "█▇▆▅▄▃▂▁"
        assert spark([1.0, float("nan"), 1.0]) == "▁▁"
        assert spark([]) == ""
        assert spark(range(1000), width=8) == "▁▂▃▄▅▆▇█"

    def test_is_on_terminals_alone(self, script, client, console):
        lost = [f"event: progress\ndata: {json.dumps(step)}\n\n".encode() for step in STEPS]
        script.on("GET", EVENTS, answer(b"".join(lost)))
        script.on("GET", "/v1/jobs/job_1", answer(DONE))
        watch_job(client, "job_1", console)
        assert ("loss 2.000 █▁ 1.000" in written(console)) == console.is_terminal
