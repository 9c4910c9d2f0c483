"""What a running job says, on its way into the database: in batches, and kept while the database is away."""

import logging
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError

from records.database import Database
from records.queries import leases
from records.queries.leases import Lease

logger = logging.getLogger(__name__)

_MOST_KEPT = 100_000
"""Events and metrics that are kept while the database is away; about an hour of a fast training."""


class Journal:
    """Collects the events of one attempt and writes them down.

    Args:
        database: where to.
        lease: the attempt.
    """

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._metrics: list[dict[str, Any]] = []
        self._progress: dict[str, Any] | None = None
        self._last_event = 0
        """Number of the job's last event as of the last batch that was answered for."""
        self._unanswered: int | None = None
        """Events in the batch that was sent and not answered for: a commit can succeed although its answer does not arrive."""

    def add(self, event: dict[str, Any]) -> None:
        """Take one event of the child."""
        fields = {name: value for name, value in event.items() if name not in {"type", "time"}}
        if event["type"] == "progress":
            self._progress = fields
        elif event["type"] == "metrics":
            self._metrics.append({"time": event["time"], **fields})
        else:
            self._events.append((event["type"], fields))
        del self._metrics[:-_MOST_KEPT], self._events[:-_MOST_KEPT]

    def flush(self) -> bool:
        """Write down what has come together. False if the database is away; it is tried again the next time.

        Raises:
            LeaseLostError: the job is no longer this attempt's.
        """
        while self._events or self._metrics or self._progress:
            if not self._sent():
                return False
        return True

    def _sent(self) -> bool:
        # What may have been committed is sent again as it was: with more events in it, it could not be known again.
        events = len(self._events) if self._unanswered is None else self._unanswered
        metrics, progress = len(self._metrics), self._progress
        again = None if self._unanswered is None else self._last_event
        try:
            with self._database.write() as session:
                last = leases.write_down(
                    session,
                    self._lease,
                    found=self._events[:events],
                    metrics=self._metrics[:metrics],
                    progress=progress,
                    unless_after=again,
                )
        except DataError as error:
            # Something in the batch is no value for this database, and will be none the next time either.
            logger.exception("%d events of %s are lost", events + metrics, self._lease.job_id)
            self._events.append(("log", {"level": "warning", "message": f"{events + metrics} events were lost: {error.orig!r}"}))
        except DBAPIError as error:
            logger.warning("the database is away, %d events wait: %s", events + metrics, error)
            self._unanswered = events
            return False
        else:
            self._last_event = last
        self._unanswered = None
        del self._events[:events], self._metrics[:metrics]
        self._progress = None
        return True
