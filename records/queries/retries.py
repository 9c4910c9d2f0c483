"""Jobs that do again what another has failed to do, or was kept from."""

from typing import Any

from sqlalchemy import insert, literal, select
from sqlalchemy.orm import Session

from records.errors import NotFoundError
from records.models import Job, JobMetric
from records.queries import jobs


def hold(session: Session, job_id: str) -> Job:
    """Find a job, which nobody else retries before the transaction ends.

    Raises:
        NotFoundError: there is none with this id.
    """
    job = session.scalar(select(Job).where(Job.id == job_id).with_for_update(), execution_options={"populate_existing": True})
    if job is None:
        raise NotFoundError.of("job", job_id)
    return job


def newest(session: Session, job_id: str) -> Job | None:
    """The newest job that does this one again."""
    return session.scalar(select(Job).where(Job.retry_of == job_id).order_by(Job.id.desc()).limit(1))


def create(session: Session, job: Job, checkpoints: list[dict[str, Any]], *, idempotency_key: str | None, request_hash: str) -> Job:
    """Queue a job that does another again: the same spec, seed, dataset, priority and notes.

    It takes over the checkpoints that are given, with the figures of the steps before them and the labels that belong to them; with
    none it begins anew. They are its own from then on, and go when it ends.
    """
    retry = jobs.create(
        session,
        kind=job.kind,
        dataset_id=job.dataset_id,
        spec=job.spec,
        device=job.device,
        priority=job.priority,
        metadata=job.meta,
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        evaluate={name: value for name, value in job.evaluate.items() if name != "job_id"} if job.evaluate is not None else None,
        memory_bytes=job.memory_bytes,
    )
    retry.retry_of = job.id
    if job.kind in {"evaluate", "embed"}:
        retry.model_id = job.model_id
    if checkpoints:
        retry.checkpoints, job.checkpoints = checkpoints, []
        retry.labels = job.labels
        _copy_metrics(session, job.id, retry.id, max(one["step"] for one in checkpoints))
    session.flush()
    return retry


def _copy_metrics(session: Session, source: str, target: str, last_step: int) -> None:
    names = ["job_id", "step", "epoch", "at", "attempt", "values"]
    columns = (JobMetric.step, JobMetric.epoch, JobMetric.at, literal(0), JobMetric.values)
    before = select(literal(target), *columns).where(JobMetric.job_id == source, JobMetric.step <= last_step)
    session.execute(insert(JobMetric).from_select(names, before))
