"""Keeping a lease while its job runs."""

import logging
import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import DBAPIError

from records import context
from records.database import Database
from records.queries import leases
from records.queries.leases import Lease, LeaseLostError
from records.states import JobState

logger = logging.getLogger(__name__)


class Heartbeat:
    """Renews a lease in a thread of its own, so that a slow disk or a large upload does not lose the job.

    While the database is away no lease can be renewed, but none can be taken either: it goes on trying.
    """

    def __init__(self, database: Database, lease: Lease, *, every: float, lasting: float) -> None:
        self._database = database
        self._lease = lease
        self._every = every
        self._lasting = lasting
        self._stop = threading.Event()
        self._thread = context.thread(self._run, name=f"heartbeat-{lease.job_id}")
        self.state = JobState.RUNNING
        """The state that the job's owner wants it in, as of the last heartbeat."""
        self.lost = False
        """Whether the job has gone to another attempt."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                with self._database.write() as session:
                    self.state = leases.renew(session, self._lease, self._lasting)
            except LeaseLostError:
                self.lost = not self._stop.is_set()
                return
            except DBAPIError as error:
                logger.warning("no heartbeat for %s, the database is away: %s", self._lease.job_id, error)
