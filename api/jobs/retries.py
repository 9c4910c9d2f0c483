"""The rules of retries."""

from hashlib import sha256
from typing import Any

from pydantic import ConfigDict
from sqlalchemy.orm import Session

from api.pages import Resource
from records.blobs import Blobs
from records.errors import ConflictError, NotFoundError
from records.models import Job
from records.queries import datasets, jobs, models, projects, retries
from records.states import ENDED, JobState
from records.tenancy import acting

_INSTEAD = {
    JobState.QUEUED: "it waits for a worker; there is nothing to retry yet",
    JobState.RUNNING: "a worker has it; cancel it first, by POST /v1/jobs/{id}/cancel, if you want it to begin again",
    JobState.PAUSING: "it is being paused; once it is `paused`, POST /v1/jobs/{id}/resume lets it go on",
    JobState.PAUSED: "POST /v1/jobs/{id}/resume lets it go on where it was",
    JobState.CANCELLING: "it is being cancelled; retry it once it is `cancelled`, in some seconds",
    JobState.SUCCEEDED: "it has what it was to make; POST /v1/jobs with its `spec` does it once more",
}


class RetryRequest(Resource):
    """How to retry a job."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"from_start": False, "again": False}})

    from_start: bool = False
    """Begin anew, even if there is a checkpoint to go on from."""
    again: bool = False
    """Make another retry, even if the job was retried before."""


def retry(session: Session, blobs: Blobs, job_id: str, request: RetryRequest, idempotency_key: str | None) -> tuple[Job, bool]:
    """Queue a job that does a failed or cancelled one again; the second value tells whether it is new.

    To retry twice is to retry once, as long as the first retry has not ended.

    Raises:
        NotFoundError: there is no such job.
        ConflictError: it has not failed and was not cancelled, was retried already, or needs something that was deleted since.
        IdempotencyError: the key was used for another request.
    """
    digest = sha256(f"retry {job_id} {request.model_dump_json()}".encode()).hexdigest()
    job = retries.hold(session, job_id)
    known = jobs.replayed(session, idempotency_key, digest)
    if known is not None:
        return known, False
    if job.state in _INSTEAD:
        raise ConflictError(f"the job is {job.state}: {_INSTEAD[JobState(job.state)].format(id=job.id)}")
    before = retries.newest(session, job.id)
    if before is not None and not request.again:
        if before.state not in ENDED:
            return before, False
        one = "retry that one" if before.state != JobState.SUCCEEDED else "its result is there"
        raise ConflictError(f"the job was retried already, as {before.id}, which has {before.state}: {one}, or say `again: true`")
    _check_needs(session, job)
    if (actor := acting()) is not None and job.kind not in {"ingest", "export"}:
        projects.check_gpu(session, actor.project_id)
    checkpoints = [] if request.from_start else [one for one in job.checkpoints if bytes_of(blobs, one) is not None]
    made = retries.create(session, job, checkpoints, idempotency_key=idempotency_key, request_hash=digest)
    if job.kind == "ingest":
        _ingest_again(session, job, made)
    return made, True


def bytes_of(blobs: Blobs, checkpoint: dict[str, Any]) -> int | None:
    """Size of a checkpoint; None if its bytes are gone."""
    try:
        return blobs.path(checkpoint["key"]).stat().st_size
    except FileNotFoundError:
        return None


def _check_needs(session: Session, job: Job) -> None:
    """See whether all that the job works on is still there."""
    if job.kind != "export":
        if job.dataset_id is None:
            raise ConflictError("its dataset was deleted; upload it again, and make a new job with this one's `spec`")
        if job.kind != "ingest":
            datasets.to_work_on(session, job.dataset_id)
    wanted = [job.spec.get("init_from"), job.spec.get("model_id"), *(job.spec.get("references") or [])]
    for model_id in filter(None, wanted):
        try:
            models.to_start_from(session, model_id, param="model_id")
        except NotFoundError as error:
            raise ConflictError(f"{model_id}, which it works with, was deleted; make a new job with another") from error


def _ingest_again(session: Session, job: Job, made: Job) -> None:
    assert job.dataset_id is not None
    dataset = datasets.get(session, job.dataset_id)
    if dataset.upload_key is None or dataset.state == "ready":
        raise ConflictError(f"{dataset.id} has no upload to be ingested any more; upload it again")
    if dataset.base_dataset_id is not None:
        try:
            datasets.to_work_on(session, dataset.base_dataset_id)
        except NotFoundError as error:
            told = f"{dataset.base_dataset_id}, which has the files that the upload left out, was deleted; upload everything again"
            raise ConflictError(told) from error
    dataset.state, dataset.error, dataset.job_id = "ingesting", None, made.id
    dataset.report = dataset.refused = None
