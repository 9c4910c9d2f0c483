import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from records.blobs import LocalBlobs
from records.database import Database
from records.models import Model
from records.queries import jobs
from records.settings import Settings
from records.states import JobState
from ssl_core.process import EXIT_OK, EXIT_USER_ERROR
from tests.worker.test_engine import until
from worker.child import Child, Spare
from worker.engine import Engine
from worker.spares import Spares


@pytest.fixture
def spare() -> Iterator[Spare]:
    spare = Spare()
    yield spare
    spare.close()


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A command line that fails for a reason it tells."""
    source = tmp_path / "notes.txt"
    source.write_text("no pictures here\n" * 50)
    return ["ingest", str(source), "--out", str(tmp_path / "out")]


def ended(child: Child) -> int:
    """Its exit status."""
    deadline = time.monotonic() + 20
    while (status := child.wait(0.5)) is None:
        assert time.monotonic() < deadline
    return status


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestSpare:
    def test_runs_what_it_is_told(self, spare: Spare, arguments: list[str], tmp_path: Path):
        child = Child(arguments, tmp_path / "log.txt", spare)
        assert child.pid == spare._process.pid
        assert not spare.waits
        assert ended(child) == EXIT_USER_ERROR
        (error,) = [event for event in child.events() if event["type"] == "error"]
        assert error["message"]
        spare.close()  # it is the child's now

    def test_what_it_writes_is_in_the_job_s_log(self, spare: Spare, tmp_path: Path):
        child = Child(["no-such-command"], tmp_path / "log.txt", spare)
        assert ended(child) == EXIT_USER_ERROR
        assert "invalid choice" in child.last_words()

    def test_a_dead_one_is_no_hindrance(self, spare: Spare, arguments: list[str], tmp_path: Path):
        os.kill(spare._process.pid, signal.SIGKILL)
        until(lambda: not spare.waits)
        child = Child(arguments, tmp_path / "log.txt", spare)
        assert child.pid != spare._process.pid
        assert ended(child) == EXIT_USER_ERROR

    def test_ends_when_nothing_comes(self, spare: Spare):
        spare._process.stdin.close()
        assert spare._process.wait(20) == EXIT_OK

    def test_leaves_nothing_behind(self, spare: Spare):
        spare.close()
        assert not alive(spare._process.pid)

    def test_can_be_killed_while_it_loads(self, spare: Spare, arguments: list[str], tmp_path: Path):
        child = Child(arguments, tmp_path / "log.txt", spare)
        child.kill()
        assert ended(child) == -signal.SIGKILL

    def test_a_line_break_in_a_command_line_is_no_end_of_it(self, spare: Spare, arguments: list[str], tmp_path: Path):
        assert ended(Child([*arguments, "--filename", "a\nb"], tmp_path / "log.txt", spare)) == EXIT_USER_ERROR

    def test_dies_with_its_worker(self):
        code = "import time; from worker.child import Spare; print(Spare()._process.pid, flush=True); time.sleep(60)"
        worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        pid = int(worker.stdout.readline())
        assert alive(pid)
        worker.kill()
        worker.communicate()
        until(lambda: not alive(pid))


class TestSpares:
    def test_keep_one_and_replace_a_dead_one(self):
        spares = Spares()
        spares.start()
        try:
            until(lambda: spares._spare is not None)
            first = spares.take()
            assert spares.take() is None
            spares.refill()
            until(lambda: spares._spare is not None)
            second = spares._spare._process.pid
            os.kill(second, signal.SIGKILL)
            until(lambda: not spares._spare.waits)
            spares.refill()
            until(lambda: spares._spare is not None and spares._spare._process.pid != second)
        finally:
            spares.close()
        first.close()
        assert spares.take() is None


class TestEngine:
    @pytest.fixture
    def warm(self, worker_settings: Settings, database: Database, blobs: LocalBlobs) -> Iterator[Engine]:
        settings = worker_settings.model_copy(update={"warm": True})
        engine = Engine(settings, database, blobs, lambda _job, _device: None, "cpu")
        engine._spares.start()
        until(lambda: engine._spares._spare is not None)
        yield engine
        engine.stop()
        engine._spares.close()

    def test_a_warm_training_gives_the_same_bytes(
        self, warm: Engine, engine: Engine, database: Database, blobs: LocalBlobs, ingested: str, pretrain, read_job
    ):
        spare = warm._spares._spare
        made = []
        for who in (warm, engine):
            job_id = pretrain(ingested)
            who.work(job_id)
            assert read_job(job_id).state == JobState.SUCCEEDED
            with database.read() as session:
                model = session.get(Model, read_job(job_id).model_id)
                made.append(next(file.sha256 for file in model.files if file.name == "encoder.safetensors"))
        assert made[0] == made[1]
        assert spare._process.returncode == EXIT_OK  # the first of them decoded the images, too
        until(lambda: warm._spares._spare is not None)

    def test_a_warm_training_can_be_cancelled(
        self, warm: Engine, database: Database, ingested: str, pretrain: Callable[..., str], read_job, in_background
    ):
        job_id = pretrain(ingested, steps=100_000)
        in_background(warm.work, job_id)
        until(lambda: (read_job(job_id).progress or {}).get("step", 0) > 0)
        with database.write() as session:
            jobs.cancel(session, job_id)
        until(lambda: read_job(job_id).state == JobState.CANCELLED)

    def test_without_the_setting_there_is_none(self, engine: Engine):
        assert engine._spares is None
