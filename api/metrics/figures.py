"""What the API counts of itself. Routes are counted by their template, and methods by the few that there are: nothing grows."""

from prometheus_client import Counter, Gauge, Histogram

from api.jobs.stream import Feeds
from records import endings, statements
from records.database import Database
from records.metrics import JobFigures, StatementFigures, registry

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Figures:
    """The figures of one API process.

    Args:
        database: whose statements are timed.
        feeds: whose watchers are counted.
    """

    def __init__(self, database: Database, feeds: Feeds) -> None:
        self.registry = into = registry()
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
        self.in_flight = Gauge("pretext_http_requests_in_flight", "Requests that are being answered.", registry=into)
        self.rate_limited = Counter(
            "pretext_http_rate_limited", "Requests that were refused because a key made too many.", registry=into
        )
        self.upload_bytes = Counter(
            "pretext_upload_bytes", "Bytes of files that arrived, whether or not they were kept.", registry=into
        )
        Gauge("pretext_watchers", "Streams of events that are open.", registry=into).set_function(lambda: feeds.watchers)
        Gauge("pretext_watched_jobs", "Jobs that somebody watches.", registry=into).set_function(lambda: feeds.jobs)
        self._jobs = JobFigures(into)
        statements.watch(database.engine, StatementFigures(into).on_statement)
        endings.listen(self._jobs.on_end)

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
