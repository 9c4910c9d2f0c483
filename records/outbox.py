"""Events for webhooks: what a transaction changes, it also tells, in the same transaction.

So nothing that was done is untold, and nothing is told that was not done, whoever is killed when. Workers send what is written
here.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import event, insert, inspect, select
from sqlalchemy.orm import Session, UOWTransaction, sessionmaker

from records.ids import new_id
from records.models import Dataset, Embedding, Evaluation, Job, Model, Webhook, WebhookDelivery
from records.states import JobState
from records.thin import Record, thin

TEST = "webhook.test"
_OF_JOBS = {
    JobState.QUEUED: "job.queued",
    JobState.RUNNING: "job.started",
    JobState.PAUSED: "job.paused",
    JobState.SUCCEEDED: "job.succeeded",
    JobState.FAILED: "job.failed",
    JobState.CANCELLED: "job.cancelled",
}
_OF_DATASETS = {"ingesting": "dataset.created", "ready": "dataset.ready", "failed": "dataset.failed"}
_OF_NEW: dict[type[Any], str] = {Model: "model.created", Evaluation: "evaluation.created", Embedding: "embedding.created"}
TYPES = (*_OF_JOBS.values(), *_OF_DATASETS.values(), *_OF_NEW.values())
"""All that can happen, beside `webhook.test`, which is sent on demand."""

_INFO = "outbox"


def matches(patterns: Iterable[str], type_: str) -> bool:
    """Whether somebody who listens to these patterns wants to hear of something."""
    return any(fnmatchcase(type_, pattern) for pattern in patterns)


def watch(sessions: sessionmaker[Session]) -> None:
    """Have the sessions of a maker note what they add and change. Jobs are noted where their state is: `queries/events.py`."""
    event.listen(sessions, "after_flush", _note_flushed)


def note_job(session: Session, job: Job) -> None:
    """Note that a job has gone to another state."""
    type_ = _OF_JOBS.get(JobState(job.state))
    if type_ is not None:
        _note(session, job, type_)


def _note(session: Session, record: Record, type_: str) -> None:
    """What a record went through in between is not told: nobody could have seen it."""
    session.info.setdefault(_INFO, {})[record] = type_


def _note_flushed(session: Session, _context: UOWTransaction) -> None:
    for record in session.new:
        if type(record) in _OF_NEW:
            _note(session, record, _OF_NEW[type(record)])
    for record in (*session.new, *session.dirty):
        if isinstance(record, Dataset) and inspect(record).attrs.state.history.added:
            _note(session, record, _OF_DATASETS[record.state])


def write(session: Session, moment: datetime) -> None:
    """Put what was noted on its way to the webhooks that want to hear of it. At the end of a transaction."""
    session.flush()
    noted: dict[Record, str] = session.info.pop(_INFO, {})
    told = [(record, type_) for record, type_ in noted.items() if record in session and record not in session.deleted]
    if not told:
        return
    # The lock lets everything be done to a webhook but deleting it, which would fail the change that is told.
    listening = (
        select(Webhook)
        .where(Webhook.enabled, Webhook.project_id.in_({record.project_id for record, _ in told}))
        .with_for_update(read=True, key_share=True)
    )
    webhooks = list(session.scalars(listening))
    for record, type_ in told if webhooks else ():
        wanted = [one for one in webhooks if one.project_id == record.project_id and matches(one.events, type_)]
        if wanted:
            put(session, wanted, type_, thin(record), moment)


def put(session: Session, webhooks: Iterable[Webhook], type_: str, data: dict[str, Any], moment: datetime) -> list[str]:
    """Put an event on its way. Gives the ids of its deliveries."""
    payload = json.dumps({"type": type_, "timestamp": moment, "data": data}, default=_shown)
    event_id = new_id("evt")
    same: dict[str, Any] = {"event_id": event_id, "type": type_, "payload": payload, "state": "pending", "attempt": 0, "tries": 0}
    rows = [
        {**same, "id": new_id("dlv"), "webhook_id": webhook.id, "next_at": moment, "created_at": moment} for webhook in webhooks
    ]
    session.execute(insert(WebhookDelivery), rows)
    return [str(row["id"]) for row in rows]


def _shown(moment: datetime) -> str:
    """A point in time, as the API writes it."""
    return moment.isoformat().replace("+00:00", "Z")
