"""Figures of a worker for Prometheus, on a port of their own."""

import ipaddress
import logging
import secrets
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from records import endings, statements
from records.database import Database
from records.metrics import CONTENT_TYPE, JobFigures, StatementFigures, registry
from records.queries.overview import LANES
from records.settings import Settings
from worker.gpus import GpuCollector
from worker.host import HostCollector

logger = logging.getLogger(__name__)

_WAITS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
_SPEEDS = ("images_per_second", "clips_per_second")


class Figures:
    """What a worker counts of itself.

    Args:
        settings: where its folders are.
        database: whose statements are timed.
        busy: tells how many jobs it runs, by lane.
    """

    def __init__(self, settings: Settings, database: Database, busy: Callable[[], dict[str, int]]) -> None:
        self.registry = into = registry()
        self._started = Counter("pretext_attempts_started", "Attempts that this worker began.", ["kind"], registry=into)
        self._waited = Histogram(
            "pretext_job_wait_seconds", "How long jobs waited for a worker.", ["kind"], buckets=_WAITS, registry=into
        )
        self._lost = Counter(
            "pretext_leases_lost", "Attempts that this worker ended because its job had gone to another.", registry=into
        )
        self._running = Gauge("pretext_running_jobs", "Jobs that this worker runs.", ["lane"], registry=into)
        for lane in set(LANES.values()):
            self._running.labels(lane).set_function(partial(_of_lane, busy, lane))
        self._speed = Gauge(
            "pretext_job_samples_per_second", "Images, or clips, a second of all jobs that run here.", ["kind"], registry=into
        )
        self._speeds: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._jobs = JobFigures(into)
        statements.watch(database.engine, StatementFigures(into).on_statement)
        endings.listen(self._jobs.on_end)
        into.register(HostCollector(settings))
        if (gpus := GpuCollector.find()) is not None:
            into.register(gpus)

    def close(self) -> None:
        """Count no more."""
        endings.unlisten(self._jobs.on_end)

    def began(self, kind: str, waited: float | None) -> None:
        """Count an attempt. `waited`: seconds, of a job's first."""
        self._started.labels(kind).inc()
        if waited is not None:
            self._waited.labels(kind).observe(waited)

    def lost(self) -> None:
        """Count a lease that was lost."""
        self._lost.inc()

    def speed(self, job_id: str, kind: str, progress: dict[str, Any] | None) -> None:
        """Note how fast a job is by what it says of itself; None once it runs no more."""
        found = next((float(progress[name]) for name in _SPEEDS if progress.get(name) is not None), None) if progress else None
        with self._lock:
            self._speeds.pop(job_id, None)
            if found is not None:
                self._speeds[job_id] = (kind, found)
            self._speed.labels(kind).set(sum(speed for of, speed in self._speeds.values() if of == kind))


def _of_lane(busy: Callable[[], dict[str, int]], lane: str) -> int:
    return busy().get(lane, 0)


class MetricsServer:
    """Serves the figures over HTTP, to whoever knows the token if there is one.

    Args:
        settings: address, port and token.
        from_: what is served.

    Raises:
        RuntimeError: the address can be reached from elsewhere and there is no token, or the port is taken.
    """

    def __init__(self, settings: Settings, from_: CollectorRegistry) -> None:
        host, port = settings.worker_metrics_host, settings.worker_metrics_port
        if settings.metrics_token is None and not _is_loopback(host):
            raise RuntimeError(
                f"PRETEXT_WORKER_METRICS_HOST is {host}, which other machines may reach: set PRETEXT_METRICS_TOKEN, or listen on "
                "127.0.0.1"
            )
        token = None if settings.metrics_token is None else settings.metrics_token.get_secret_value()
        try:
            self._server = make_server(host, port, _application(from_, token), _Server, _Quiet)
        except OSError as error:
            raise RuntimeError(
                f"{host}:{port} cannot be listened on ({error.strerror}); choose another PRETEXT_WORKER_METRICS_PORT"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        logger.info("metrics are on port %d", self.port)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _application(from_: CollectorRegistry, token: str | None) -> WSGIApplication:
    def serve(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        if token is not None and not secrets.compare_digest(given.encode(), token.encode()):
            start("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
            return [b"send the token of PRETEXT_METRICS_TOKEN as a bearer\n"]
        if environ["REQUEST_METHOD"] != "GET" or environ["PATH_INFO"] != "/metrics":
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"there is nothing but GET /metrics\n"]
        content = generate_latest(from_)
        start("200 OK", [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(content)))])
        return [content]

    return serve


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(WSGIServer):
    """One request after the other: Prometheus comes once in some seconds. It looks up no host names."""

    allow_reuse_address = True
    timeout = 5

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    timeout = 5
    """Seconds that a caller may be silent."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class calls it so
        logger.debug("metrics: %s", format % args)
