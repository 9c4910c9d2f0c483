"""The phases of an attempt as spans of the job's trace, told by what its process says of itself."""

import time
from typing import Any

from records import tracing
from records.queries.leases import Lease


class Phases:
    """Tells each phase once it is over.

    Args:
        lease: the attempt.
        kind: the job's.
    """

    def __init__(self, lease: Lease, kind: str) -> None:
        self._lease = lease
        self._kind = kind
        self._began = self._since = time.time()
        self._phase = "start"
        """Until the process says something: it starts, and loads what it needs."""
        self._done: object = None

    def see(self, event: dict[str, Any]) -> None:
        """Look at an event of the process."""
        if event["type"] != "progress":
            return
        phase = str(event.get("phase", ""))
        if phase != self._phase:
            self._tell(float(event["time"]))
            self._phase, self._since = phase, float(event["time"])
        self._done = event.get("done")

    def end(self, outcome: str) -> None:
        """The attempt is over."""
        self._tell(time.time())
        about = {"pretext__kind": self._kind, "pretext__attempt": self._lease.attempt, "pretext__outcome": outcome}
        tracing.tell("attempt", self._began, time.time(), job_id=self._lease.job_id, **about)

    def _tell(self, until: float) -> None:
        about = {"pretext__attempt": self._lease.attempt, "pretext__done": self._done}
        tracing.tell(self._phase, self._since, until, job_id=self._lease.job_id, **about)
