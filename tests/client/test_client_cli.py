import json
import os
import signal
import subprocess
import sys
import time

import pytest
from pretext_client import jobs
from pretext_client.cli import app
from typer.testing import CliRunner

from tests.client.faults import DATASET, JOB, answer, page, problem
from tests.client.test_client_download import CONTENT, ETAG, FILE, model, ranged
from tests.client.test_client_jobs import DONE, EVENTS, progressed, told
from tests.client.test_client_pictures import PNG, picture


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.01)


@pytest.fixture
def pretext(script):
    """Runs the command against the server of the test; returns status, standard output and standard error."""

    def run(*arguments: str):
        result = CliRunner().invoke(app, ["--url", script.url, "--api-key", "k", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


class TestUpload:
    def test_waits_and_tells_what_is_there(self, script, pretext, tmp_path):
        (tmp_path / "a.zip").write_bytes(b"PK")
        script.on("POST", "/v1/datasets", answer({**DATASET, "state": "ingesting", "images": None, "job_id": "job_1"}, 201))
        script.on("GET", EVENTS, answer(progressed(1)))
        script.on("GET", "/v1/jobs/job_1", answer(DONE))
        script.on("GET", "/v1/datasets/ds_1", answer({**DATASET, "refused": 1}))
        refused = {"name": "notes\u202e.txt", "code": "not_an_image", "reason": "it is text"}
        script.on("GET", "/v1/datasets/ds_1/report", answer({"report": {}, "refused": {"data": [refused], "has_more": False}}))
        result = pretext("upload", str(tmp_path / "a.zip"))
        assert result.exit_code == 0
        assert "refused: notes\ufffd.txt: it is text" in result.stderr
        assert result.stdout == f"ds_1  3 images, 1 refused (pretext --url {script.url} report ds_1)\n"

    def test_can_come_back_at_once(self, script, pretext, tmp_path):
        (tmp_path / "a.zip").write_bytes(b"PK")
        script.on("POST", "/v1/datasets", answer({**DATASET, "state": "ingesting", "images": None, "job_id": "job_1"}, 201))
        result = pretext("upload", str(tmp_path / "a.zip"), "--no-wait", "--name", "mine")
        assert (result.exit_code, result.stdout) == (0, "ds_1  ingesting\n")
        assert len(script.seen) == 1

    def test_a_useless_upload_is_a_failure(self, script, pretext, tmp_path):
        (tmp_path / "a.zip").write_bytes(b"PK")
        failed = {**DATASET, "state": "failed", "error": {"code": "no_images", "message": "it has no images"}}
        script.on("POST", "/v1/datasets", answer(failed, 201))
        result = pretext("upload", str(tmp_path / "a.zip"))
        assert result.exit_code == 1
        assert "it has no images" in result.stdout

    def test_a_missing_file_is_a_failure_in_one_line(self, pretext, tmp_path):
        result = pretext("upload", str(tmp_path / "none.zip"))
        assert result.exit_code == 1
        assert result.stderr == f"Error: cannot read {tmp_path / 'none.zip'}: No such file or directory\n"


class TestTrain:
    def test_finds_the_dataset_by_its_name_and_sends_the_settings(self, script, pretext):
        script.on("GET", "/v1/datasets", page(DATASET))
        script.on("POST", "/v1/jobs", answer(JOB, 201))
        result = pretext(
            "train", "pictures", "--encoder", "tiny", "--set", "task.rotations=one", "--set", "optimizer.learning_rate=0.05"
        )
        assert result.exit_code == 0
        assert "job_1" in result.stdout
        assert json.loads(script.seen[-1].body) == {
            "kind": "pretrain",
            "dataset_id": "ds_1",
            "task": {"name": "rotation", "rotations": "one"},
            "encoder": {"name": "tiny"},
            "optimizer": {"learning_rate": 0.05},
        }

    @pytest.mark.parametrize("options", [["--init-from", "model_1"], ["--set", "init_from=model_1"]])
    def test_starts_from_a_model_and_leaves_the_encoder_to_it(self, script, pretext, options):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("POST", "/v1/jobs", answer(JOB, 201))
        assert pretext("train", "ds_1", *options).exit_code == 0
        sent = json.loads(script.seen[-1].body)
        assert sent == {"kind": "pretrain", "dataset_id": "ds_1", "task": {"name": "rotation"}, "init_from": "model_1"}

    def test_two_datasets_of_one_name(self, script, pretext):
        script.on("GET", "/v1/datasets", page(DATASET, {**DATASET, "id": "ds_2"}))
        result = pretext("train", "pictures")
        assert result.exit_code == 1
        assert "ds_1, ds_2" in result.stderr

    def test_watches_to_the_end_and_says_how_to_download(self, script, pretext):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("POST", "/v1/jobs", answer(JOB, 201))
        script.on("GET", EVENTS, answer(told(1, "state", state="running") + progressed(1)))
        script.on("GET", "/v1/jobs/job_1", answer(DONE))
        result = pretext("train", "ds_1", "--watch")
        assert result.exit_code == 0
        assert result.stdout == f"job_1  succeeded: model_1\nDownload it with: pretext --url {script.url} download model_1\n"

    def test_shows_what_the_server_does_not_like(self, script, pretext):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("POST", "/v1/jobs", problem(422, detail="there is no such field", param="task.colour"))
        result = pretext("train", "ds_1", "--set", "task.colour=red")
        assert (result.exit_code, result.stderr) == (1, "Error: there is no such field (task.colour)\n")

    @pytest.mark.parametrize("setting", ["steps", "dataset_id=ds_2", "task.name=jigsaw"])
    def test_a_wrong_setting_is_wrong_usage(self, script, pretext, setting):
        result = pretext("train", "ds_1", "--task", "rotation", "--set", setting)
        assert result.exit_code == 2
        assert script.seen == []


class TestWatch:
    def test_a_failed_job_is_a_failure(self, script, pretext):
        script.on("GET", EVENTS, answer(b""))
        script.on(
            "GET", "/v1/jobs/job_1", answer({**JOB, "state": "failed", "error": {"code": "x", "message": "the loss is not finite"}})
        )
        result = pretext("watch", "job_1")
        assert (result.exit_code, result.stdout) == (1, "job_1  failed: the loss is not finite\n")

    def test_an_unknown_job(self, pretext):
        result = pretext("watch", "job_9")
        assert (result.exit_code, result.stderr) == (1, "Error: there is nothing at /v1/jobs/job_9/events\n")

    def test_ends_with_the_newest_picture(self, script, pretext):
        script.on("GET", EVENTS, answer(b"".join(told(seq, "picture", epoch=seq - 1, step=0) for seq in (1, 2))))
        script.on("GET", "/v1/jobs/job_1", answer({**JOB, "state": "failed"}))
        result = pretext("watch", "job_1")
        assert result.exit_code == 1
        assert result.stderr.splitlines() == [
            f"Its newest picture: {script.url}/v1/jobs/job_1/pictures/1",
            f"Save all of them with: pretext --url {script.url} pictures job_1",
        ]

    def test_as_json(self, script, pretext):
        script.on("GET", EVENTS, answer(progressed(1)))
        script.on("GET", "/v1/jobs/job_1", answer({**DONE, "new": 1}))
        result = pretext("--json", "watch", "job_1")
        assert json.loads(result.stdout) == {**DONE, "new": 1}


class TestLists:
    def test_have_tabs_in_a_pipe(self, script, pretext):
        script.on("GET", "/v1/datasets", page({**DATASET, "name": "a [red]\tb\x1b[0m", "bytes": 1234}))
        header, row = pretext("datasets").stdout.splitlines()
        assert header.split("\t")[:2] == ["id", "name"]
        assert row.split("\t")[:6] == ["ds_1", "a [red]\ufffdb\ufffd[0m", "ready", "", "3", ""]

    def test_keep_ids_whole_on_a_narrow_terminal(self, script, pretext, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        script.on("GET", "/v1/jobs", page({**JOB, "id": f"job_{'1' * 26}", "model_id": f"model_{'2' * 26}"}))
        monkeypatch.setenv("COLUMNS", "60")
        narrow = pretext("jobs")
        heading, row = narrow.stdout.splitlines()
        assert f"job_{'1' * 26}" in row
        assert "model" not in heading + row
        assert "No room for: created, dataset, model. A wider terminal" in narrow.stderr
        monkeypatch.setenv("COLUMNS", "200")
        assert f"model_{'2' * 26}" in pretext("jobs").stdout

    def test_cut_sentences_rather_than_leave_columns_out(self, script, pretext, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "60")
        task = {
            "name": "rotation",
            "modality": "image",
            "summary": "Tell by which quarter turn an image was rotated.",
            "defaults": {},
        }
        script.on("GET", "/v1/tasks", page(task))
        shown = pretext("tasks")
        assert "Tell by which quarter" in shown.stdout
        assert "…" in shown.stdout
        assert shown.stderr == ""

    def test_are_whole_as_json(self, script, pretext):
        script.on("GET", "/v1/jobs", page(JOB))
        assert json.loads(pretext("--json", "jobs").stdout) == [JOB]

    def test_stop_at_the_limit(self, script, pretext):
        script.on("GET", "/v1/jobs", page(JOB, more=True))
        assert len(pretext("jobs", "--limit", "3").stdout.splitlines()) == 4

    @pytest.mark.parametrize(
        ("command", "record", "told_"),
        [
            ("models", model(), "1.0 MB"),
            ("tasks", {"name": "rotation", "defaults": {"flip": True}}, "flip=true"),
            ("encoders", {"name": "tiny", "parameters": 0.2}, "0.2 M"),
        ],
    )
    def test_of_other_things(self, script, pretext, command, record, told_):
        script.on("GET", f"/v1/{command}", page(record))
        assert told_ in pretext(command).stdout


class TestOthers:
    def test_pause_and_resume(self, script, pretext):
        script.on("POST", "/v1/jobs/job_1/pause", answer({**JOB, "state": "pausing"}))
        assert pretext("pause", "job_1").stdout == "job_1  pausing\n"
        script.on("POST", "/v1/jobs/job_1/resume", answer({**JOB, "state": "queued"}))
        assert pretext("resume", "job_1").stdout == "job_1  queued\n"

    def test_cancel(self, script, pretext):
        script.on("POST", "/v1/jobs/job_1/cancel", answer({**JOB, "state": "cancelling"}))
        assert pretext("cancel", "job_1").stdout == "job_1  cancelling\n"

    def test_delete(self, script, pretext):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("DELETE", "/v1/datasets/ds_1", answer(b"", 204))
        assert pretext("delete", "ds_1").stdout == "ds_1  deleted\n"

    def test_report(self, script, pretext):
        refused = {"object": "list", "data": [{"name": "a.txt", "code": "x", "reason": "it is a text"}], "has_more": False}
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on(
            "GET",
            "/v1/datasets/ds_1/report",
            answer(
                {"dataset_id": "ds_1", "report": {"images": 3, "sizes": {"width": {"min": 3}}, "labels": []}, "refused": refused}
            ),
        )
        lines = pretext("report", "ds_1").stdout.splitlines()
        assert lines[1:] == ["images: 3", "sizes: width (min 3)", "refused\twhy", "a.txt\tit is a text"]

    def test_download(self, script, pretext, tmp_path):
        script.on("GET", "/v1/models/model_1", answer(model()))
        script.on("GET", FILE, ranged(CONTENT, ETAG))
        result = pretext("download", "model_1", str(tmp_path))
        assert result.stdout == f"{tmp_path / 'encoder.safetensors'}\n"

    def test_a_folder_that_cannot_be_made(self, script, pretext, tmp_path):
        script.on("GET", "/v1/models/model_1", answer(model()))
        (tmp_path / "file").touch()
        result = pretext("download", "model_1", str(tmp_path / "file" / "folder"))
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: {tmp_path / 'file' / 'folder'}: ")


class TestExport:
    def test_is_watched_to_its_end(self, script, pretext):
        script.on("POST", "/v1/jobs", answer({**JOB, "kind": "export"}, 201))
        script.on("GET", EVENTS, answer(progressed(1)))
        script.on("GET", "/v1/jobs/job_1", answer({**DONE, "kind": "export"}))
        result = pretext("export", "model_1", "--stage", "best", "--format", "onnx", "--watch")
        assert result.exit_code == 0
        assert "Download it with: pretext" in result.stdout
        asked = {"kind": "export", "model_id": "model_1", "stage": "best", "formats": ["onnx"], "metadata": {}}
        assert json.loads(script.seen[0].body) == asked

    def test_comes_back_at_once_if_it_is_not(self, script, pretext):
        script.on("POST", "/v1/jobs", answer({**JOB, "kind": "export"}, 201))
        result = pretext("export", "model_1")
        assert result.stdout.startswith("job_1  ")
        assert json.loads(script.seen[0].body) == {"kind": "export", "model_id": "model_1", "stage": None, "metadata": {}}


class TestModels:
    def test_upload(self, script, pretext, tmp_path):
        (tmp_path / "my.safetensors").write_bytes(b"weights")
        script.on("POST", "/v1/models", answer(model(), 201))
        result = pretext("models", "upload", str(tmp_path / "my.safetensors"), "--encoder", "tiny", "--image-size", "32")
        assert result.exit_code == 0
        assert result.stdout == f"model_1  tiny\nStart from it with: pretext --url {script.url} train … --init-from model_1\n"

    def test_upload_says_what_it_is_missing(self, script, pretext, tmp_path):
        assert pretext("models", "upload", str(tmp_path / "my.safetensors"), "--encoder", "tiny").exit_code == 2
        result = pretext("models", "upload", str(tmp_path), "--encoder", "tiny", "--image-size", "32")
        assert (result.exit_code, result.stderr) == (1, f"Error: {tmp_path} is a folder; give the safetensors file in it\n")
        assert script.seen == []

    def test_delete(self, script, pretext):
        script.on("GET", "/v1/models/model_1", answer(model()))
        script.on("DELETE", "/v1/models/model_1", answer(b"", 204))
        assert pretext("models", "delete", "model_1").stdout == "model_1  deleted\n"

    def test_delete_of_one_that_a_job_starts_from(self, script, pretext):
        script.on("GET", "/v1/models/model_1", answer(model()))
        script.on("DELETE", "/v1/models/model_1", problem(409, detail="jobs start from this model (job_1)"))
        result = pretext("models", "delete", "model_1")
        assert (result.exit_code, result.stderr) == (1, "Error: jobs start from this model (job_1)\n")


class TestPictures:
    def test_are_put_into_a_folder(self, script, pretext, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        script.on("GET", "/v1/jobs/job_1/pictures", page(picture(0)))
        script.on("GET", "/v1/jobs/job_1/pictures/0", answer(PNG))
        assert pretext("pictures", "job_1").stdout == "job_1-pictures/epoch-000000.png\n"
        assert (tmp_path / "job_1-pictures" / "epoch-000000.png").read_bytes() == PNG
        assert json.loads(pretext("--json", "pictures", "job_1", "--out", "new").stdout) == ["new/epoch-000000.png"]

    def test_there_may_be_none(self, script, pretext, tmp_path):
        script.on("GET", "/v1/jobs/job_1/pictures", page())
        result = pretext("pictures", "job_1", "--out", str(tmp_path / "new"))
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "job_1 has no pictures yet.\n")
        assert not (tmp_path / "new").exists()

    def test_an_unknown_job(self, script, pretext, tmp_path):
        script.on("GET", "/v1/jobs/job_9/pictures", problem(404, code="not_found", detail="there is no job 'job_9'"))
        result = pretext("pictures", "job_9", "--out", str(tmp_path / "new"))
        assert (result.exit_code, result.stderr) == (1, "Error: there is no job 'job_9'\n")


class TestProcess:
    """What only a process of its own shows."""

    def run(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pretext_client.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            # A shell that runs the tests in the background has Ctrl-C ignored, and a process hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  no threads here
        )

    def test_ctrl_c_leaves_the_job_running(self, script):
        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.write(progressed(1))
            handler.wfile.flush()
            while process.poll() is None:
                time.sleep(0.01)
            handler.close_connection = True

        script.on("GET", EVENTS, endless)
        process = self.run("--url", script.url, "--api-key", "k", "watch", "job_1")
        assert process.stderr.readline() == "Training  1 step\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        assert process.returncode == 130
        # The signal may come while the line of progress is being written, which is then written twice.
        assert err.splitlines()[-1] == f"Stopped watching; the job goes on. Come back with: pretext --url {script.url} watch job_1"
        assert "Traceback" not in err
        assert script.sent("POST", "/v1/jobs/job_1/cancel") == []

    def test_no_server(self):
        out, err = (process := self.run("jobs", PRETEXT_URL="http://127.0.0.1:9")).communicate(timeout=20)
        assert (process.returncode, out) == (3, "")
        assert err == "Error: no server answers at http://127.0.0.1:9. Is it running? `pretext-server up` starts one.\n"

    def test_nobody_reads(self, script):
        script.on("GET", "/v1/jobs", page(*[JOB] * 5000))
        process = self.run("--url", script.url, "--api-key", "k", "--json", "jobs", "--limit", "5000")
        process.stdout.close()
        with process.stderr as err:
            assert err.read() == ""
        assert process.wait(10) == 0
