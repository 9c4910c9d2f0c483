"""What the API counts of itself. Routes are counted by their template, and methods by the few that there are: nothing grows."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from api.jobs.stream import Feeds
from api.metrics.queue import QueueCollector
from records import endings, statements
from records.database import Database
from records.metrics import JobFigures, StatementFigures, registry

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Figures:
    """The figures of one API process, and, if several share a port, of them all.

    Args:
        database: whose statements are timed.
        feeds: whose watchers are counted.
        queue: the figures that do not depend on the process.
    """

    def __init__(self, database: Database, feeds: Feeds, queue: QueueCollector) -> None:
        self.registry = into = registry()
        into.register(queue)
        self._queue = queue
        self._requests = Counter(
            "pretext_http_requests", "Requests that were answered.", ["method", "route", "status"], registry=into
        )
        self._seconds = Histogram(
            "pretext_http_request_duration_seconds",
            "From a request's arrival to the end of its answer; of a stream of events, to its beginning.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=into,
        )
        self.in_flight = Gauge(
            "pretext_http_requests_in_flight", "Requests that are being answered.", registry=into, multiprocess_mode="livesum"
        )
        self.rate_limited = Counter(
            "pretext_http_rate_limited", "Requests that were refused because a key made too many.", registry=into
        )
        self.upload_bytes = Counter(
            "pretext_upload_bytes", "Bytes of files that arrived, whether or not they were kept.", registry=into
        )
        self._watchers = Gauge("pretext_watchers", "Streams of events that are open.", registry=into, multiprocess_mode="livesum")
        self._watched = Gauge(
            "pretext_watched_jobs", "Jobs that somebody watches, in each process.", registry=into, multiprocess_mode="livesum"
        )
        feeds.on_change = self._on_watchers
        self._jobs = JobFigures(into)
        statements.watch(database.engine, StatementFigures(into).on_statement)
        endings.listen(self._jobs.on_end)

    def of_all_processes(self) -> CollectorRegistry:
        """What there is to tell, whichever of the processes that share the port is asked."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return self.registry
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        together.register(self._queue)
        return together

    def _on_watchers(self, watchers: int, jobs: int) -> None:
        self._watchers.set(watchers)
        self._watched.set(jobs)

    def close(self) -> None:
        """Count no more."""
        endings.unlisten(self._jobs.on_end)

    def began(self, method: str, route: str, seconds: float) -> None:
        """Note how long an answer took."""
        self._seconds.labels(_known(method), route).observe(seconds)

    def ended(self, method: str, route: str, status: int) -> None:
        """Count an answer."""
        self._requests.labels(_known(method), route, str(status)).inc()


def _known(method: str) -> str:
    return method if method in _METHODS else "other"
