"""Figures for Prometheus that every process of the service has: how jobs end, and the process itself."""

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector

from records.endings import Ending
from records.statements import OPERATIONS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LONG = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 48 * 3600)
_STATEMENT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


def registry() -> CollectorRegistry:
    """A registry with the figures of the process: memory, processor time, descriptors."""
    made = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    return made


class JobFigures:
    """How jobs and attempts end; listens to `records.endings`. Labels: the five kinds and the states, nothing that grows."""

    def __init__(self, into: CollectorRegistry) -> None:
        by = ["kind", "outcome"]
        self.finished = Counter("pretext_jobs_finished", "Jobs that are over for good.", by, registry=into)
        self.duration = Histogram(
            "pretext_job_duration_seconds", "From when a job was asked for to its end.", by, buckets=_LONG, registry=into
        )
        self.attempts = Histogram(
            "pretext_job_attempts", "Attempts that a job took.", ["kind"], buckets=(1, 2, 3, 4, 5, 10), registry=into
        )
        self.attempts_finished = Counter(
            "pretext_attempts_finished", "Attempts that are over, by the state they left the job in.", by, registry=into
        )
        self.attempt_duration = Histogram(
            "pretext_attempt_duration_seconds", "How long attempts lasted.", by, buckets=_LONG, registry=into
        )
        self.reaped = Counter(
            "pretext_jobs_reaped", "Jobs that were taken from a worker that was not heard of.", ["kind"], registry=into
        )

    def on_end(self, ending: Ending) -> None:
        """Count an end."""
        by = (ending.kind, ending.outcome)
        if ending.seconds is not None:
            self.attempts_finished.labels(*by).inc()
            self.attempt_duration.labels(*by).observe(ending.seconds)
        if ending.lost:
            self.reaped.labels(ending.kind).inc()
        if ending.final:
            self.finished.labels(*by).inc()
            self.duration.labels(*by).observe(ending.age)
            self.attempts.labels(ending.kind).observe(ending.attempt)


class StatementFigures:
    """How long the database takes."""

    def __init__(self, into: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "pretext_database_statement_seconds",
            "How long statements of the database took.",
            ["operation"],
            buckets=_STATEMENT,
            registry=into,
        )
        for operation in (*OPERATIONS, "OTHER"):
            self._seconds.labels(operation)

    def on_statement(self, operation: str, seconds: float) -> None:
        """Count a statement."""
        self._seconds.labels(operation).observe(seconds)
