"""The queue and the workers, read from the database for Prometheus, and seldom enough never to be a burden on it."""

import logging
import threading
import time
from collections.abc import Iterable

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError

from records.database import Database
from records.queries import overview
from records.queries.overview import LANES, Overview
from records.states import ENDED, JobState

logger = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
_SHARE = 20
"""What took a second to read is kept for so many: it takes a twentieth of one connection's time at most, however long the queue."""


class QueueCollector:
    """Reads how things stand, when it is asked and what it knows is too old.

    Args:
        database: for all projects.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: Overview | None = None
        self._until = 0.0

    def describe(self) -> Iterable[Metric]:
        """Nothing is read to register it."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures."""
        known = self._read()
        yield GaugeMetricFamily(
            "pretext_database_up", "Whether the database answers; without it there are no figures of the queue.", float(bool(known))
        )
        if known is not None:
            yield from _families(known)

    def _read(self) -> Overview | None:
        with self._lock:
            if time.monotonic() < self._until:
                return self._known
            began = time.monotonic()
            try:
                with self._database.read() as session:
                    self._known = overview.read(session)
            except SQLAlchemyError as error:
                logger.warning("the database does not answer, there are no figures of the queue: %s", error)
                self._known = None
            ended = time.monotonic()
            self._until = ended + max(KEPT_SECONDS, _SHARE * (ended - began))
            return self._known


def _families(known: Overview) -> Iterable[Metric]:
    jobs = GaugeMetricFamily("pretext_jobs", "Jobs that have not ended.", labels=["kind", "state"])
    for kind in LANES:
        for state in JobState:
            if state not in ENDED:
                jobs.add_metric([kind, str(state)], known.jobs.get((kind, str(state)), 0))
    yield jobs
    oldest = "How long the oldest queued job has been there."
    yield _by("pretext_oldest_queued_job_seconds", oldest, "lane", known.oldest_seconds)
    yield _by("pretext_workers", "Workers that are alive.", "device", known.workers)
    yield _by("pretext_worker_slots", "Jobs that the workers that are alive can run at a time.", "lane", known.slots)
    yield _by("pretext_worker_slots_busy", "Jobs that workers have.", "lane", known.busy)


def _by(name: str, about: str, label: str, values: dict[str, float] | dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=[label])
    for value, figure in values.items():
        family.add_metric([value], figure)
    return family
