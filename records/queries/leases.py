"""Jobs, as a worker sees them: claim, keep, write down, hand back, end.

Every write of a worker names its attempt. Once another attempt has begun, or the job has ended, it changes nothing and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from records import endings
from records.database import now
from records.models import Job, Project
from records.queries import events, ingests, projects
from records.states import ENDED, HELD, JobState

LOST = "its worker was lost"
"""The reason of a job that was taken from its worker."""
_UNSYNCED = {"synchronize_session": False}


@dataclass(frozen=True)
class Lease:
    """A worker's hold on a job."""

    job_id: str
    attempt: int


class LeaseLostError(Exception):
    """Another attempt has the job, or it has ended; nothing was written."""


def next_queued(session: Session, kinds: Sequence[str], devices: Sequence[str], limit: int = 1) -> list[str]:
    """Ids of the jobs to run next: the highest priority first, of these the project's that has the fewest running, then the oldest.

    Jobs of a project that has as many running as it may are passed over.
    """
    held = [str(state) for state in HELD]
    running = (
        select(Job.project_id, func.count().label("jobs")).where(Job.state.in_(held)).group_by(Job.project_id).subquery("running")
    )
    has = func.coalesce(running.c.jobs, 0)
    query = (
        select(Job.id)
        .outerjoin(running, running.c.project_id == Job.project_id)
        .outerjoin(Project, Project.id == Job.project_id)
        .where(Job.state == JobState.QUEUED, Job.kind.in_(kinds), Job.device.in_(devices))
        .where(or_(Project.most_running.is_(None), has < Project.most_running))
        .order_by(Job.priority.desc(), has, Job.id)
        .limit(limit)
    )
    return list(session.scalars(query))


def claim(session: Session, job_id: str, worker_id: str, seconds: float) -> Job | None:
    """Take a job that nobody has, for a while. None if somebody was quicker, or its project has as many running as it may."""
    if not _has_room(session, job_id):
        return None
    moment = now(session)
    taken = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED)
        .values(
            state=JobState.RUNNING,
            attempt=Job.attempt + 1,
            worker_id=worker_id,
            lease_until=moment + timedelta(seconds=seconds),
            claimed_at=moment,
            passed_over_at=None,
        )
        .returning(Job.id),
        execution_options=_UNSYNCED,
    ).first()
    if taken is None:
        return None
    job = session.get_one(Job, job_id, populate_existing=True)
    job.started_at = job.started_at or moment
    events.state(session, job, worker_id=worker_id)
    return job


def _has_room(session: Session, job_id: str) -> bool:
    """Whether a job's project may have one more running. If it is bounded, other claims for it wait for the transaction's end."""
    project = select(Project.most_running).where(Project.id == select(Job.project_id).where(Job.id == job_id).scalar_subquery())
    if session.scalar(project) is None:
        return True
    most = session.scalar(project.with_for_update(of=Project))
    beside = aliased(Job)
    running = (
        select(func.count())
        .select_from(Job)
        .join(beside, beside.project_id == Job.project_id)
        .where(Job.id == job_id, beside.state.in_([str(state) for state in HELD]))
    )
    return most is None or (session.scalar(running) or 0) < most


def renew(session: Session, lease: Lease, seconds: float) -> JobState:
    """Keep a job for a while longer, and read the state that its owner wants it in.

    Raises:
        LeaseLostError: it is no longer this worker's.
    """
    until = now(session) + timedelta(seconds=seconds)
    row = session.execute(
        update(Job).where(_held(lease)).values(lease_until=until).returning(Job.state), execution_options=_UNSYNCED
    ).first()
    if row is None:
        raise LeaseLostError
    return JobState(row[0])


def hold(session: Session, lease: Lease) -> Job:
    """Read a job for a write in the same transaction, which no other attempt can get into.

    Raises:
        LeaseLostError: it is no longer this worker's.
    """
    job = session.scalar(select(Job).where(_held(lease)).with_for_update(), execution_options={"populate_existing": True})
    if job is None:
        raise LeaseLostError
    return job


def write_down(
    session: Session,
    lease: Lease,
    *,
    found: Sequence[tuple[str, dict[str, Any]]],
    metrics: Sequence[dict[str, Any]],
    progress: dict[str, Any] | None,
    unless_after: int | None = None,
) -> int:
    """Store what a running job said of itself, and give the number of the job's last event.

    `unless_after` is for events that were sent before and never answered for: the number that those before them were answered with.
    If they are there behind it, they were committed, and are not stored twice.

    Raises:
        LeaseLostError: it is no longer this worker's.
    """
    job = hold(session, lease)
    if unless_after is not None and events.are_there(session, job.id, job.attempt, found, after=unless_after):
        found = []
    if progress is not None:
        job.progress = progress
    for type_, data in found:
        if type_ == "environment":
            job.environment = data
    session.flush()
    events.add(session, job.id, job.attempt, found)
    events.put_metrics(session, job.id, job.attempt, metrics)
    return job.last_event + len(found)


def end(session: Session, job: Job, state: JobState, *, error: dict[str, Any] | None = None, **more: Any) -> None:
    """End a job, or put it back in the queue. `job` was read by `hold` in this transaction.

    A dataset that it should have ingested has failed, then, unless the job has succeeded.
    """
    seconds: float | None = None
    if job.claimed_at is not None:
        # A worker that was lost is taken to have worked as long as its lease lasted.
        until = min(now(session), job.lease_until) if job.lease_until is not None else now(session)
        seconds = max(0.0, (until - job.claimed_at).total_seconds())
        projects.add_usage(session, job, seconds)
    job.claimed_at = None
    job.state = state
    job.lease_until = None
    job.worker_id = None
    if state in ENDED:
        job.finished_at = now(session)
        job.error = error
        if state != JobState.SUCCEEDED:
            ingests.fail(session, job, error)
    session.flush()
    told = {**more, "error": error}
    events.state(session, job, **{name: value for name, value in told.items() if value is not None})
    endings.tell(session, job, seconds=seconds, lost=more.get("reason") == LOST)


def reap(session: Session, *, max_failures: int) -> list[str]:
    """Free the jobs whose worker has not been heard of: back to the queue, or to their end. Gives the ids of those to run again."""
    moment = now(session)
    lost = select(Job).where(Job.state.in_([str(s) for s in HELD]), Job.lease_until < moment).with_for_update(skip_locked=True)
    again = []
    for job in session.scalars(lost):
        if job.state == JobState.CANCELLING:
            job.checkpoints = []
            end(session, job, JobState.CANCELLED, reason=LOST)
        elif job.failures + 1 >= max_failures:
            job.failures += 1
            error = too_many_failures(job.failures)
            end(session, job, JobState.FAILED, error=error, reason=LOST)
        elif job.state == JobState.PAUSING:
            end(session, job, JobState.PAUSED, reason=LOST)
        else:
            job.failures += 1
            end(session, job, JobState.QUEUED, reason=LOST)
            again.append(job.id)
    return again


def too_many_failures(times: int) -> dict[str, str]:
    """The error of a job that takes its workers down with it."""
    return {
        "code": "worker_lost",
        "message": f"the job lost its worker or crashed {times} times in a row without getting further; look at its events, "
        "and try a smaller `batch_size`, `image_size` or encoder if memory may be short",
    }


def _held(lease: Lease) -> ColumnElement[bool]:
    return and_(Job.id == lease.job_id, Job.attempt == lease.attempt, Job.state.in_([str(s) for s in HELD]))
