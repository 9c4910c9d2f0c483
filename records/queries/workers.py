"""Workers."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from records.database import now
from records.models import Job, Worker
from records.queries import pages
from records.states import HELD

ALIVE_SECONDS = 60
_FORGOTTEN_DAYS = 7


def seen(
    session: Session,
    worker_id: str,
    *,
    host: str,
    pid: int,
    device: str,
    slots: dict[str, Any],
    device_name: str | None = None,
    memory_bytes: int | None = None,
) -> None:
    """Note that a worker is alive, and what it has."""
    moment = now(session)
    worker = session.get(Worker, worker_id)
    if worker is None:
        session.execute(delete(Worker).where(Worker.seen_at < moment - timedelta(days=_FORGOTTEN_DAYS)))
        worker = Worker(id=worker_id, host=host, pid=pid, device=device, slots=slots, started_at=moment)
        session.add(worker)
    worker.seen_at = moment
    worker.device_name, worker.memory_bytes = device_name, memory_bytes


def gone(session: Session, worker_id: str) -> None:
    """Note that a worker has stopped in good order."""
    session.execute(delete(Worker).where(Worker.id == worker_id))


def alive_on(session: Session, host: str) -> bool:
    """Whether a worker of this host is alive."""
    since = now(session) - timedelta(seconds=ALIVE_SECONDS)
    return session.scalar(select(Worker.id).where(Worker.host == host, Worker.seen_at > since).limit(1)) is not None


def embedding(session: Session) -> int:
    """How many workers that are alive embed images at once."""
    since = now(session) - timedelta(seconds=ALIVE_SECONDS)
    alive = session.scalars(select(Worker.slots).where(Worker.seen_at > since))
    return sum(bool(slots.get("embed")) for slots in alive)


def devices(session: Session) -> set[str]:
    """What the workers that are alive can train on; empty if none is."""
    since = now(session) - timedelta(seconds=ALIVE_SECONDS)
    return set(session.scalars(select(Worker.device).where(Worker.seen_at > since).distinct()))


def training(session: Session) -> list[Worker]:
    """The workers that are alive, the oldest first."""
    since = now(session) - timedelta(seconds=ALIVE_SECONDS)
    return list(session.scalars(select(Worker).where(Worker.seen_at > since).order_by(Worker.id)))


def page(session: Session, *, limit: int, after: str | None) -> tuple[list[Worker], bool]:
    """One page of workers, the newest first, and whether there is more."""
    return pages.newest_first(session, select(Worker), Worker.id, limit, after)


def alive(session: Session) -> set[str]:
    """Ids of the workers that are alive."""
    since = now(session) - timedelta(seconds=ALIVE_SECONDS)
    return set(session.scalars(select(Worker.id).where(Worker.seen_at > since)))


def running(session: Session) -> dict[str, list[str]]:
    """Ids of the jobs that workers have, by worker."""
    found: dict[str, list[str]] = {}
    held = select(Job.id, Job.worker_id).where(Job.state.in_([str(s) for s in HELD]), Job.worker_id.is_not(None))
    for job_id, worker_id in session.execute(held):
        found.setdefault(str(worker_id), []).append(job_id)
    return found
