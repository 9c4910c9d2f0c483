"""Whole uploads through real processes of the API: connections that are cut, a process that is killed, the real client."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from pretext_client import Pretext, Retry
from pretext_client.resume import state_dir

from records.database import Database
from records.queries import keys
from records.settings import Settings
from tests.api.conftest import KEY
from tests.api.tus import BINARY, TUS, begun, offset, send

MEGABYTE = 1 << 20


class Cutter:
    """Passes connections on to a port, and cuts some of them once so many bytes have gone to the server."""

    def __init__(self, port: int, cuts: list[int]) -> None:
        self.port_of_server = port
        self.cuts = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # which ends the `accept` that waits
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self.port_of_server)) as far:
            while True:
                for source in select.select([near, far], [], [])[0]:
                    content = source.recv(1 << 16)
                    if not content:
                        return
                    (far if source is near else near).sendall(content)
                    if source is near and self.cuts:
                        self.cuts[0] -= len(content)
                        if self.cuts[0] <= 0:
                            self.cuts.pop(0)
                            return


class Api:
    """An API as a process of its own, that can be killed and started again on its port."""

    def __init__(self, settings: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "PRETEXT_DATA_DIR": str(settings.data_dir),
            "PRETEXT_DATABASE_URL": settings.database_url,
            "PRETEXT_BROKER_URL": settings.broker_url,
            "PRETEXT_MIN_FREE_BYTES": "0",
            "PRETEXT_PORT": str(self.port),
        }
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "launcher", "api"]
        self.process = subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])

    def wait(self) -> None:
        until(lambda: answers(self.url))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def memory(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/healthz").status_code == 200
    return False


@pytest.fixture
def apis(settings: Settings) -> Iterator[Callable[[int], list[Api]]]:
    """Starts so many processes over one database and one folder."""
    database = Database(settings.database_url)
    with database.write() as session:
        keys.register(session, KEY, "test")
    database.engine.dispose()
    started: list[Api] = []

    def start(count: int) -> list[Api]:
        started.extend(Api(settings) for _ in range(count))
        for one in started:
            one.wait()
        return started

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def api(apis: Callable[[int], list[Api]]) -> Api:
    (one,) = apis(1)
    return one


@pytest.fixture
def two(apis: Callable[[int], list[Api]]) -> list[Api]:
    return apis(2)


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """32 MB that are no archive; nobody looks into them here."""
    (tmp_path / "pictures.tar").write_bytes(os.urandom(32 * MEGABYTE))
    return tmp_path / "pictures.tar"


def stored_of(settings: Settings, dataset_id: str) -> bytes:
    return (settings.data_dir / "blobs" / "datasets" / dataset_id / "upload").read_bytes()


class TestClient:
    def test_goes_on_across_cut_connections_and_a_killed_server(self, api: Api, settings: Settings, path: Path):
        cutter = Cutter(api.port, [5 * MEGABYTE, 7 * MEGABYTE, 4 * MEGABYTE])
        killed: list[int] = []

        def on_progress(done: int, total: int) -> None:
            if done > 24 * MEGABYTE and not killed:
                killed.append(done)
                api.kill()
                api.start()

        with Pretext(cutter.url, KEY, retry=Retry(times=10, first_seconds=0.05, longest_seconds=0.5)) as pretext:
            dataset = pretext.datasets.upload(path, name="mine", on_progress=on_progress)
        cutter.close()
        assert (cutter.cuts, len(killed)) == ([], 1)
        assert (dataset.name, dataset.state) == ("mine", "ingesting")
        assert stored_of(settings, dataset.id) == path.read_bytes()

    def test_a_later_run_of_the_command_goes_on(self, api: Api, settings: Settings, path: Path):
        with pytest.raises(KeyboardInterrupt), Pretext(api.url, KEY) as pretext:
            pretext.datasets.upload(path, on_progress=interrupt_at(12 * MEGABYTE))
        ask = httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {KEY}"})
        with ask:
            (unfinished,) = ask.get("/v1/uploads").json()["data"]
            assert (unfinished["bytes"], len(list(state_dir().iterdir()))) == (32 * MEGABYTE, 1)
            command = [sys.executable, "-m", "pretext_client.cli", "--api-key", KEY, "--url", api.url, "upload", str(path)]
            environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parents[2] / 'client'}"}
            ended = subprocess.run([*command, "--no-wait"], env=environment, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, ended.stderr
            dataset_id = ended.stdout.split()[0]
            assert stored_of(settings, dataset_id) == path.read_bytes()
            assert list(state_dir().iterdir()) == []
            assert ask.get(f"/v1/uploads/{unfinished['id']}").json()["dataset_id"] == dataset_id


def interrupt_at(most: int) -> Callable[[int, int], None]:
    def on_progress(done: int, total: int) -> None:
        if done >= most:
            raise KeyboardInterrupt

    return on_progress


class TestProcesses:
    def test_parts_may_go_to_any_and_four_uploads_at_a_time(self, two: list[Api], settings: Settings):
        contents = [os.urandom(8 * MEGABYTE + number) for number in range(4)]
        urls: list[str] = [""] * 4

        def run(number: int) -> None:
            content = contents[number]
            with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
                client.base_url = two[number % 2].url
                urls[number] = url = begun(client, len(content))
                for start in range(0, len(content), 1_500_000):
                    client.base_url = two[(start // 1_500_000) % 2].url
                    assert offset(client, url) == start
                    assert send(client, url, start, content[start : start + 1_500_000]).status_code == 204

        threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for url, content in zip(urls, contents, strict=True):
            wanted = {"upload_id": url.rsplit("/", 1)[-1]}
            asked = httpx.post(f"{two[0].url}/v1/datasets", json=wanted, headers={"Authorization": f"Bearer {KEY}"})
            assert stored_of(settings, asked.json()["id"]) == content

    def test_one_holds_an_upload_against_the_other(self, two: list[Api]):
        here, there = (httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {KEY}"}) for api in two)
        with here, there:
            url = begun(here, 10 * MEGABYTE)
            arrived = threading.Event()
            may_go_on = threading.Event()

            def body() -> Iterator[bytes]:
                yield bytes(2 * MEGABYTE)
                arrived.set()
                may_go_on.wait(10)

            sender = threading.Thread(target=lambda: send(here, url, 0, body()))
            sender.start()
            arrived.wait(10)
            until(lambda: offset(there, url) > 0)
            assert send(there, url, 0, b"x").status_code == 423
            may_go_on.set()
            sender.join()
            assert send(there, url, 2 * MEGABYTE, b"x").status_code == 204

    def test_memory_stays_flat(self, api: Api):
        size = 256 * MEGABYTE
        with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as client:
            send(client, begun(client, MEGABYTE), 0, bytes(MEGABYTE))
            before, most = api.memory(), 0

            def body() -> Iterator[bytes]:
                nonlocal most
                for _ in range(size // MEGABYTE):
                    yield bytes(MEGABYTE)
                    most = max(most, api.memory())

            url = begun(client, size)
            answer = client.patch(url, content=body(), headers={**TUS, **BINARY, "Upload-Offset": "0"})
            assert answer.headers["Upload-Offset"] == str(size)
        assert most - before < 32 * MEGABYTE
