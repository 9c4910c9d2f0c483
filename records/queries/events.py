"""Events and metrics of jobs."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Insert, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from records import outbox
from records.database import now
from records.models import Job, JobEvent, JobMetric

_MOST_IDS = 500
"""In one question: PostgreSQL and SQLite both bound the parameters of a statement."""


@dataclass(frozen=True)
class Head:
    """As much of a job as tells whether there is something new."""

    state: str
    last_event: int
    progress: dict[str, Any] | None


def add(session: Session, job_id: str, attempt: int, found: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Append events to a job. Its row is locked until the transaction ends, so numbers appear in order and without gaps."""
    if not found:
        return
    number = update(Job).where(Job.id == job_id).values(last_event=Job.last_event + len(found)).returning(Job.last_event)
    last = session.execute(number, execution_options={"synchronize_session": False}).scalar_one()
    moment = now(session)
    rows = [
        {"job_id": job_id, "seq": last - len(found) + place, "at": moment, "attempt": attempt, "type": type_, "data": data}
        for place, (type_, data) in enumerate(found, start=1)
    ]
    session.execute(insert(JobEvent), rows)


def are_there(session: Session, job_id: str, attempt: int, found: Sequence[tuple[str, dict[str, Any]]], *, after: int) -> bool:
    """Whether these events of an attempt follow each other somewhere behind a number."""
    if not found:
        return True
    of_attempt = select(JobEvent.seq, JobEvent.type, JobEvent.data).where(
        JobEvent.job_id == job_id, JobEvent.attempt == attempt, JobEvent.seq > after
    )
    rows = {seq: (type_, data) for seq, type_, data in session.execute(of_attempt)}
    batch = [(type_, _as_stored(data)) for type_, data in found]
    return any(all(rows.get(first + place) == event for place, event in enumerate(batch)) for first in rows)


def _as_stored(data: dict[str, Any]) -> Any:
    return json.loads(json.dumps(data))


def state(session: Session, job: Job, **more: Any) -> None:
    """Note that a job has gone to the state that it is in, for its events and for webhooks."""
    outbox.note_job(session, job)
    add(session, job.id, job.attempt, [("state", {"state": str(job.state), **more})])


def page(session: Session, job_id: str, *, after: int, limit: int) -> tuple[list[JobEvent], bool]:
    """Events after a number, oldest first, and whether there is more."""
    query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.seq > after).order_by(JobEvent.seq).limit(limit + 1)
    found = list(session.scalars(query))
    return found[:limit], len(found) > limit


def heads(session: Session, job_ids: Sequence[str]) -> dict[str, Head]:
    """How some jobs stand, by their ids; those that are gone are left out."""
    found: dict[str, Head] = {}
    for start in range(0, len(job_ids), _MOST_IDS):
        query = select(Job.id, Job.state, Job.last_event, Job.progress).where(Job.id.in_(job_ids[start : start + _MOST_IDS]))
        found |= {job_id: Head(state, last, progress) for job_id, state, last, progress in session.execute(query)}
    return found


def put_metrics(session: Session, job_id: str, attempt: int, found: Sequence[dict[str, Any]]) -> None:
    """Store figures, each `{time, step, epoch, values}`; those of a step that is trained again replace the earlier ones."""
    newest = {metric["step"]: metric for metric in found}
    if not newest:
        return
    rows = [
        {
            "job_id": job_id,
            "step": step,
            "epoch": metric["epoch"],
            "at": datetime.fromtimestamp(metric["time"], UTC),
            "attempt": attempt,
            "values": {name: _finite(value) for name, value in metric["values"].items()},
        }
        for step, metric in newest.items()
    ]
    session.execute(_upsert(session), rows)


def _finite(value: Any) -> Any:
    """JSON has no name for what is no number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _upsert(session: Session) -> Insert:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(JobMetric)
    new = {name: statement.excluded[name] for name in ("epoch", "at", "attempt", "values")}
    upsert: Insert = statement.on_conflict_do_update(index_elements=["job_id", "step"], set_=new)
    return upsert


def metrics(session: Session, job_id: str, *, after: int, limit: int) -> tuple[list[JobMetric], bool]:
    """Figures after a step, in order of the steps, and whether there is more."""
    query = select(JobMetric).where(JobMetric.job_id == job_id, JobMetric.step > after).order_by(JobMetric.step).limit(limit + 1)
    found = list(session.scalars(query))
    return found[:limit], len(found) > limit
