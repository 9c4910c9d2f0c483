"""Which of the waiting jobs a worker's memory has room for.

Jobs are looked at in the order in which they should run. One that does not fit beside those that run is passed over for smaller
ones, but not for ever: when it has waited for a while, nothing behind it begins on a worker that could take it, until it fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from records.database import now
from records.models import Job, Worker
from records.queries.workers import ALIVE_SECONDS
from records.states import HELD, JobState


@dataclass(frozen=True)
class Room:
    """The memory of a worker."""

    worker_id: str
    device: str
    """`cpu` or `cuda`: what its memory is of."""
    memory_bytes: int
    patience: float
    """Seconds that a job may be passed over."""


def choose(session: Session, room: Room, waiting: Sequence[str]) -> str | None:
    """Id of the first job that fits beside those that the worker has; None if none does.

    A job that is larger than any worker alive runs alone, on one of the largest: an estimate may be wrong, and what was taken on
    shall not wait for ever.

    Args:
        session: a transaction that writes.
        room: what there is.
        waiting: ids of queued jobs, the next first.
    """
    found = {job.id: job for job in session.scalars(select(Job).where(Job.id.in_(waiting), Job.state == JobState.QUEUED))}
    free = room.memory_bytes - _taken(session, room.worker_id)
    largest = max(room.memory_bytes, _largest(session, room.device))
    moment = now(session)
    passed_over: list[str] = []
    for job in (found[id_] for id_ in waiting if id_ in found):
        need = _need(job, room)
        if need > room.memory_bytes and room.memory_bytes < largest:
            continue  # a larger worker's
        if min(need, room.memory_bytes) <= free:
            _note(session, passed_over, moment)
            return job.id
        if job.passed_over_at is None:
            passed_over.append(job.id)
        elif job.passed_over_at <= moment - timedelta(seconds=room.patience):
            return None
    return None


def _need(job: Job, room: Room) -> int:
    """Memory that a job takes of what the room is of, in bytes: none if it runs on something else, or if nobody knows."""
    return (job.memory_bytes or 0) if job.device in {"auto", room.device} else 0


def _taken(session: Session, worker_id: str) -> int:
    held = select(func.coalesce(func.sum(Job.memory_bytes), 0)).where(
        Job.worker_id == worker_id, Job.state.in_([str(state) for state in HELD])
    )
    return int(session.scalar(held) or 0)


def _largest(session: Session, device: str) -> int:
    """Memory of the largest worker of this sort that is alive."""
    since = now(session) - timedelta(seconds=ALIVE_SECONDS)
    return session.scalar(select(func.max(Worker.memory_bytes)).where(Worker.device == device, Worker.seen_at > since)) or 0


def _note(session: Session, job_ids: list[str], moment: object) -> None:
    if job_ids:
        session.execute(
            update(Job).where(Job.id.in_(job_ids)).values(passed_over_at=moment), execution_options={"synchronize_session": False}
        )
