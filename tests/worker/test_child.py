import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssl_core.process import EXIT_USER_ERROR
from worker.child import Child


@pytest.fixture
def child(tmp_path: Path) -> Child:
    """A child that fails on bad input; it tells an event and ends by itself."""
    source = tmp_path / "notes.txt"
    source.write_text("no pictures here\n" * 50)
    return Child(["ingest", str(source), "--out", str(tmp_path / "out")], tmp_path / "log.txt")


class TestChild:
    def test_gives_status_and_events(self, child: Child):
        status = None
        while status is None:
            status = child.wait(1)
        assert status == EXIT_USER_ERROR
        (error,) = [event for event in child.events() if event["type"] == "error"]
        assert error["code"]
        assert error["message"]

    def test_kill_ends_the_whole_group(self, child: Child):
        child.close()
        assert child.wait(5) == -signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            os.killpg(child.pid, 0)

    def test_its_last_words_are_kept(self, tmp_path: Path):
        child = Child(["no-such-command"], tmp_path / "log.txt")
        while child.wait(1) is None:
            pass
        assert "invalid choice" in child.last_words()


class TestDieWith:
    def test_a_child_does_not_outlive_its_supervisor(self, tmp_path: Path):
        child = "import os, time; from ssl_core.process import die_with; die_with(os.getppid()); "
        child += "print(os.getpid(), flush=True); time.sleep(60)"
        parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        process.wait()
        process.stdout.close()
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


class TestEvents:
    def test_what_is_no_event_is_passed_over(self, tmp_path: Path, caplog: pytest.LogCaptureFixture):
        child = Child(["no-such-command"], tmp_path / "log.txt")
        while child.wait(1) is None:
            pass
        reading, writing = os.pipe()
        os.write(writing, b"nonsense\n[1]\n" + json.dumps({"type": "log", "time": 1}).encode() + b"\n")
        os.close(writing)
        child._read(os.fdopen(reading, "rb"))
        assert child.events() == [{"type": "log", "time": 1}]
        assert "no event" in caplog.text
