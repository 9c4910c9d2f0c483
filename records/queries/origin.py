"""Where a job comes from: the request that queued it, told by the job's first event so that whoever works on it can say so."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from records import context, tracing
from records.models import JobEvent

_NAMES = ("request_id", "traceparent")


def here() -> dict[str, Any]:
    """What is known of the request that is being answered, or of the job that queues another."""
    found = {"request_id": context.about().get("request_id"), "traceparent": tracing.traceparent()}
    return {name: value for name, value in found.items() if value is not None}


def of(session: Session, job_id: str) -> dict[str, str]:
    """`request_id` and `traceparent` of the request that queued a job, as far as they are known."""
    data = session.scalar(select(JobEvent.data).where(JobEvent.job_id == job_id, JobEvent.seq == 1)) or {}
    return {name: str(data[name]) for name in _NAMES if name in data}
