"""What is left of a job: its checkpoints and its log; and doing it again."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from api.datasets.endpoints import IdempotencyKey
from api.errors import responses
from api.jobs import retries
from api.jobs.retries import RetryRequest
from api.jobs.schemas import CheckpointOut, JobOut
from api.pages import Page
from api.services import ServicesDep, SessionDep
from records.queries import jobs, logs

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])

_HEADERS = {
    name: {"description": told, "schema": {"type": "integer"}}
    for name, told in (
        ("Log-Start", "The first byte of the answer, counted from the beginning of the log."),
        ("Log-End", "The byte behind its last; give it as `after` for what comes later."),
        ("Log-First", "The first byte that is still kept."),
    )
}
_EXAMPLE = """--- attempt 1 begins, 2026-11-25 20:13:00 UTC, on Intel(R) Xeon(R) Processor, 2 threads ---
info     decoding: 1.2 s
--- attempt 1: ended well ---
"""
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        "description": "The log, UTF-8.",
        "headers": _HEADERS,
    },
    **responses(401, 404),
}
_RETRIED: dict[int | str, dict[str, Any]] = {
    200: {"model": JobOut, "description": "The retry that was asked for before, and has not ended."},
    201: {"model": JobOut, "description": "The new job."},
    **responses(401, 403, 404, 409),
}


@router.post("/retry", status_code=201, summary="Retry a job", responses=_RETRIED)
def retry_job(
    job_id: str,
    response: Response,
    session: SessionDep,
    services: ServicesDep,
    request: Annotated[RetryRequest | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Do a job again that has failed or was cancelled: a new job with the same spec and seed, which says `retry_of`.

    It takes over the checkpoints that are still there, and goes on from the newest that is whole; if there is none, or with
    `"from_start": true`, it begins anew. A failed job keeps its checkpoints, a cancelled one does not. On a
    CPU it ends with the same bytes as if nothing had happened, so what failed by its settings, such as a loss that is no longer a
    number, fails again: make a new job with others then.

    To retry twice is to retry once: while the retry has not ended, it is the answer, with the status 200. Jobs in other states, and
    those whose dataset or model was deleted since, are refused with what to do instead.

    `curl -X POST -H "Authorization: Bearer $KEY" http://127.0.0.1:8000/v1/jobs/job_…/retry`
    """
    job, new = retries.retry(session, services.blobs, job_id, request or RetryRequest(), idempotency_key)
    if new:
        services.wake_for(session, job)
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobOut.of(job)


@router.get("/checkpoints", summary="List the checkpoints of a job", responses=responses(401, 404))
def list_checkpoints(job_id: str, session: SessionDep, services: ServicesDep) -> Page[CheckpointOut]:
    """From where the job can go on, the oldest first. The newest two are kept, until it succeeds or is cancelled."""
    found = jobs.get(session, job_id).checkpoints
    data = [CheckpointOut.of(one, retries.bytes_of(services.blobs, one)) for one in found]
    return Page(data=data, has_more=False)


@router.get("/logs", summary="Read the log of a job", response_class=Response, responses=_TEXT)
def read_logs(
    job_id: str,
    session: SessionDep,
    after: Annotated[int, Query(ge=0, le=2**62, description="The byte to begin at: `Log-End` of the answer before.")] = 0,
    lines: Annotated[int | None, Query(ge=1, le=100_000, description="The last lines alone, instead.")] = None,
) -> Response:
    """What the job's process wrote to its standard output and error, and its messages between, live while it runs.

    All attempts follow each other; the newest MiB is kept. Keys and passwords are left out. To follow it, ask again with `Log-End`
    as `after`.

    `curl -H "Authorization: Bearer $KEY" "http://127.0.0.1:8000/v1/jobs/job_…/logs?lines=50"`
    """
    jobs.get(session, job_id)
    part = logs.since(session, job_id, after) if lines is None else logs.last(session, job_id, lines)
    headers = {
        "Log-Start": str(part.start),
        "Log-End": str(part.end),
        "Log-First": str(part.first),
        "Cache-Control": "private, no-cache",
    }
    return Response(part.text, media_type="text/plain", headers=headers)
