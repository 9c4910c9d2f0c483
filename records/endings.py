"""Ends of jobs and of attempts, for those who count them: told once the transaction that ends one is safe."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from records.database import after_commit
from records.models import Job
from records.queries import origin
from records.states import ENDED, JobState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ending:
    """An attempt, or a job that no worker had, is over."""

    job_id: str
    kind: str
    outcome: str
    """The state that it left the job in; `queued` if it is to be run again."""
    final: bool
    """Whether the job is over, too."""
    lost: bool
    """Whether the attempt was taken from a worker that was not heard of."""
    attempt: int
    """How many there were; 0 if no worker ever had it."""
    seconds: float | None
    """How long the attempt lasted; None if there was none."""
    created_at: datetime
    traceparent: str | None
    """The span of the request that queued it."""
    error: str | None
    """Why it failed."""

    @property
    def age(self) -> float:
        """Seconds since the job was asked for."""
        return max(0.0, (datetime.now(UTC) - self.created_at).total_seconds())


Listener = Callable[[Ending], None]
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have somebody told of all that ends by this process."""
    _listeners.append(listener)


def unlisten(listener: Listener) -> None:
    """Tell them no more."""
    _listeners.remove(listener)


def tell(session: Session, job: Job, *, seconds: float | None, lost: bool = False) -> None:
    """Note that an attempt is over, in the transaction that has just put the job into another state."""
    if not _listeners:
        return
    ending = Ending(
        job_id=job.id,
        kind=job.kind,
        outcome=str(job.state),
        final=JobState(job.state) in ENDED,
        lost=lost,
        attempt=job.attempt,
        seconds=seconds,
        created_at=job.created_at,
        traceparent=origin.of(session, job.id).get("traceparent"),
        error=None if job.error is None else str(job.error.get("message")),
    )
    after_commit(session, lambda: _tell_all(ending))


def _tell_all(ending: Ending) -> None:
    for listener in _listeners:
        try:
            listener(ending)
        except Exception:  # the job has ended well; only its figures have not
            logger.exception("a defect in counting")
