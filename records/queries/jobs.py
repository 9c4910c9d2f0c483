"""Jobs, as their owner sees them: make, find, list, cancel."""

from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, defer

from records.database import now
from records.errors import ConflictError, IdempotencyError, NotFoundError
from records.ids import new_id
from records.models import Job
from records.queries import events, leases, origin, pages, rows
from records.queries.pages import EVERYTHING, Narrow
from records.states import ENDED, HELD, JobState

ACTIVE = sorted(str(state) for state in JobState if state not in ENDED)
"""The states of jobs that have not ended; by these, rather than by all but the others, an index finds them."""


def create(
    session: Session,
    *,
    kind: str,
    dataset_id: str | None,
    spec: dict[str, Any],
    device: str = "auto",
    priority: int = 0,
    metadata: dict[str, str] | None = None,
    idempotency_key: str | None = None,
    request_hash: str | None = None,
    evaluate: dict[str, Any] | None = None,
    memory_bytes: int | None = None,
    model_id: str | None = None,
) -> Job:
    """Make a queued job."""
    job = Job(
        id=new_id("job"),
        kind=kind,
        state=JobState.QUEUED,
        attempt=0,
        failures=0,
        last_event=0,
        dataset_id=dataset_id,
        model_id=model_id,
        device=device,
        spec=spec,
        task=(spec.get("task") or {}).get("name"),
        checkpoints=[],
        priority=priority,
        meta=metadata or {},
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        evaluate=evaluate,
        memory_bytes=memory_bytes,
        created_at=now(session),
    )
    session.add(job)
    session.flush()
    events.state(session, job, **origin.here())
    return job


def get(session: Session, job_id: str, *, param: str | None = None) -> Job:
    """Find a job.

    Raises:
        NotFoundError: there is none with this id.
    """
    job = session.get(Job, job_id)
    if job is None:
        raise NotFoundError.of("job", job_id, param)
    return job


def locked(session: Session, job_id: str) -> Job:
    """Find a job for a change, as it is now; nobody claims or changes it before the transaction ends.

    Raises:
        NotFoundError: there is none with this id.
    """
    return rows.locked(session, Job, job_id, "job")


def replayed(session: Session, key: str | None, request_hash: str) -> Job | None:
    """The job that an earlier request with this idempotency key made.

    Raises:
        IdempotencyError: that request asked for something else.
    """
    job = session.scalar(select(Job).where(Job.idempotency_key == key)) if key else None
    if job is not None and job.request_hash != request_hash:
        raise IdempotencyError
    return job


_LISTED = [defer(Job.checkpoints), defer(Job.labels)]
"""What a list does not read: it may be long, and nobody looks at it there."""


def page(
    session: Session,
    *,
    limit: int,
    after: str | None,
    state: str | None = None,
    kind: str | None = None,
    task: str | None = None,
    dataset_id: str | None = None,
    model_id: str | None = None,
    retry_of: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[Job], bool]:
    """One page of jobs, and whether there is more."""
    equal = [
        (Job.state, state),
        (Job.kind, kind),
        (Job.task, task),
        (Job.dataset_id, dataset_id),
        (Job.model_id, model_id),
        (Job.retry_of, retry_of),
    ]
    return pages.page(session, select(Job), Job, limit=limit, after=after, narrow=narrow, equal=equal, options=_LISTED)


def cancel(session: Session, job_id: str) -> Job:
    """Ask for a job to be cancelled. What no worker has is cancelled at once; to cancel twice is to cancel once.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it has already ended in another way.
    """
    job = locked(session, job_id)
    if job.state in {JobState.QUEUED, JobState.PAUSED}:
        job.checkpoints = []
        leases.end(session, job, JobState.CANCELLED)
    elif job.state in {JobState.RUNNING, JobState.PAUSING}:
        _go_to(session, job, JobState.CANCELLING)
    elif job.state not in {JobState.CANCELLED, JobState.CANCELLING}:
        raise ConflictError(f"the job has already {job.state}; there is nothing left to cancel")
    return job


def pause(session: Session, job_id: str) -> Job:
    """Ask for a job to be paused: it keeps what it has, and gives its worker free. To pause twice is to pause once.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it has ended, or is being cancelled.
    """
    job = locked(session, job_id)
    if job.state == JobState.QUEUED:
        _go_to(session, job, JobState.PAUSED)
    elif job.state == JobState.RUNNING:
        _go_to(session, job, JobState.PAUSING)
    elif job.state not in {JobState.PAUSED, JobState.PAUSING}:
        raise ConflictError(f"the job is {job.state}; there is nothing to pause")
    return job


def resume(session: Session, job_id: str) -> Job:
    """Put a paused job back in the queue; it goes on from its newest checkpoint. To resume twice is to resume once.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it has ended, or its worker has not let it go yet.
    """
    job = locked(session, job_id)
    if job.state == JobState.PAUSED:
        _go_to(session, job, JobState.QUEUED)
    elif job.state == JobState.PAUSING:
        raise ConflictError("the job is still being paused; resume it once it is `paused`, in some seconds")
    elif job.state not in {JobState.QUEUED, JobState.RUNNING}:
        raise ConflictError(f"the job is {job.state}; there is nothing to resume")
    return job


def _go_to(session: Session, job: Job, state: JobState) -> None:
    job.state = state
    session.flush()
    events.state(session, job)


def active_on(session: Session, dataset_id: str) -> list[Job]:
    """The jobs that still need a dataset: now, for the evaluation that follows, or for files that an upload has left out."""
    on_it = or_(
        Job.dataset_id == dataset_id,
        Job.evaluate["dataset_id"].as_string() == dataset_id,
        Job.spec["base_dataset_id"].as_string() == dataset_id,
    )
    return list(session.scalars(select(Job).where(on_it, Job.state.in_(ACTIVE)).order_by(Job.id)))


def active_from(session: Session, model_id: str) -> list[Job]:
    """The jobs that have not ended and begin with the weights of a model, are about it, or compare with it, now or afterwards."""
    from_it = or_(
        Job.spec["init_from"].as_string() == model_id,
        Job.spec["model_id"].as_string() == model_id,
        # A list comes as its JSON, of which ids are whole words.
        Job.spec["references"].as_string().contains(f'"{model_id}"', autoescape=True),
        Job.evaluate["references"].as_string().contains(f'"{model_id}"', autoescape=True),
    )
    return list(session.scalars(select(Job).where(from_it, Job.state.in_(ACTIVE)).order_by(Job.id)))


def is_held(job: Job) -> bool:
    """Whether a worker has it now."""
    return job.state in HELD
