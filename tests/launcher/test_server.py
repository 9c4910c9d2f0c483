import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pretext_client import Pretext

from launcher.server import Server, StartError
from launcher.shapes import generate, write_zip
from records.settings import Settings
from ssl_core.embed import embed, load_encoder


def until(condition: Callable[[], object], seconds: float = 25) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Everything that was started for a data folder: it is in the environment, or on the command line."""
    found = []
    for process in psutil.process_iter():
        try:
            known = " ".join(process.cmdline()) + process.environ().get("PRETEXT_DATA_DIR", "")
        except psutil.Error:
            continue
        if str(data_dir) in known and process.pid != os.getpid():
            found.append(process)
    return found


def part(data_dir: Path, what: str) -> psutil.Process | None:
    for process in processes_of(data_dir):
        with contextlib.suppress(psutil.Error):  # it may have ended since it was found
            if what in " ".join(process.cmdline()):
                return process
    return None


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """`pretext-server up`, as a person starts it, with quicker leases."""
    environment = {**os.environ, "PRETEXT_LEASE_SECONDS": "2", "PRETEXT_REAPER_SECONDS": "0.5", "PRETEXT_CHECKPOINT_SECONDS": "0.3"}
    command = [sys.executable, "-m", "launcher", "up", "--data-dir", str(tmp_path / "data"), "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    monkeypatch.setenv("PRETEXT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("PRETEXT_URL", raising=False)
    monkeypatch.delenv("PRETEXT_API_KEY", raising=False)
    until((tmp_path / "data" / "url").exists)
    yield process
    process.kill()
    process.communicate()


class TestMainJob:
    def test_survives_a_killed_worker_and_leaves_no_process_behind(self, up: subprocess.Popen[str], tmp_path: Path):
        data_dir = tmp_path / "data"
        images, _, _ = generate(count=96, seed=0, size=32)
        write_zip(tmp_path / "shapes.zip", images)
        with Pretext() as client:
            dataset = client.datasets.wait(client.datasets.upload(tmp_path / "shapes.zip").id)
            assert (dataset.state, dataset.images) == ("ready", 96)
            job = client.jobs.create(dataset.id, task="rotation", encoder="tiny", steps=40, batch_size=16)
            until(lambda: any(event.type == "checkpoint" for event in client.jobs.events(job.id)))
            worker = part(data_dir, "launcher worker")
            assert worker is not None
            worker.kill()
            job = client.jobs.wait(job.id)
            assert (job.state, job.attempt) == ("succeeded", 2)
            assert any("resumed from the checkpoint" in event.data.get("message", "") for event in client.jobs.events(job.id))
            client.models.download(job.model_id, tmp_path / "encoder")
        encoder, config = load_encoder(tmp_path / "encoder")
        assert embed(encoder, images).shape == (96, config["features"])

        started = time.monotonic()
        up.send_signal(signal.SIGTERM)
        printed, _ = up.communicate(timeout=15)
        assert time.monotonic() - started < 15
        assert up.returncode == 0
        assert "/docs" in printed
        assert str(data_dir / "api-key") in printed
        assert processes_of(data_dir) == []


class TestRestarts:
    @pytest.mark.parametrize("what", ["valkey-server", "launcher api"])
    def test_a_part_that_dies_is_started_again(self, up: subprocess.Popen[str], tmp_path: Path, what: str):
        first = part(tmp_path / "data", what)
        assert first is not None
        first.kill()
        until(lambda: (again := part(tmp_path / "data", what)) is not None and again.pid != first.pid)
        images, _, _ = generate(count=4, seed=0, size=32)
        write_zip(tmp_path / "shapes.zip", images)
        with Pretext() as client:  # the process is there before it listens; a client bears that
            assert client.datasets.wait(client.datasets.upload(tmp_path / "shapes.zip").id).images == 4

    def test_a_killed_launcher_takes_its_parts_along(self, up: subprocess.Popen[str], tmp_path: Path):
        assert len(processes_of(tmp_path / "data")) >= 3
        up.kill()
        until(lambda: processes_of(tmp_path / "data") == [], 15)


class TestStart:
    def test_the_key_is_private_and_kept(self, tmp_path: Path):
        settings = Settings(data_dir=tmp_path / "data", port=0, device="cpu")
        keys = []
        for _ in range(2):
            with Server(settings, logs=tmp_path / "logs") as server, Pretext(server.url, server.key) as client:
                keys.append(server.key)
                assert stat.S_IMODE(server.key_file.stat().st_mode) == 0o600
                assert list(client.jobs.list()) == []
        assert keys[0] == keys[1]
        assert not (tmp_path / "data" / "url").exists()

    def test_two_servers_do_not_share_a_folder(self, up: subprocess.Popen[str], tmp_path: Path):
        with pytest.raises(StartError, match="another server runs"), Server(Settings(data_dir=tmp_path / "data", port=0)):
            pass

    def test_a_taken_port_is_told(self, tmp_path: Path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            settings = Settings(data_dir=tmp_path / "data", port=taken.getsockname()[1])
            with pytest.raises(StartError, match="--port"), Server(settings):
                pass
        assert processes_of(tmp_path / "data") == []


class TestMigrate:
    def test_makes_the_tables(self, tmp_path: Path):
        environment = {**os.environ, "PRETEXT_DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}
        command = [sys.executable, "-m", "launcher", "migrate"]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert "up to date" in ended.stdout
        assert (tmp_path / "x.db").stat().st_size > 10_000


class TestHelp:
    def test_every_command_says_what_it_does(self):
        ended = subprocess.run([sys.executable, "-m", "launcher", "--help"], capture_output=True, text=True, check=True)
        for command in ("up", "demo", "api", "dashboard", "worker", "migrate"):
            assert command in ended.stdout
        assert ended.stderr == ""
