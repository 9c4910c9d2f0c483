"""A job's events as they happen, as server-sent events."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.to_thread

from api.jobs.schemas import EventOut, JobOut
from records.database import Database
from records.queries import events, jobs
from records.states import ENDED

POLL_SECONDS = 0.5
_BATCH = 500
_KEEP_ALIVE_POLLS = 30


async def follow(database: Database, job_id: str, after: int) -> AsyncIterator[str]:
    """Every event behind `after`, and the progress between them, until the job has ended.

    Events carry their number as id, so that a client that was cut off goes on where it was by `Last-Event-ID`.
    Progress carries none.
    """
    shown: dict[str, Any] | None = None
    quiet = 0
    while True:
        job, found, more = await anyio.to_thread.run_sync(_read, database, job_id, after)
        for event in found:
            after = event.seq
            yield _message(event.type, event.model_dump(mode="json"), event.seq)
        if job.progress is not None and (progress := job.progress.model_dump(mode="json", exclude_none=True)) != shown:
            shown = progress
            yield _message("progress", progress)
        if job.state in ENDED and not more:
            return
        quiet = 0 if found else quiet + 1
        if quiet % _KEEP_ALIVE_POLLS == _KEEP_ALIVE_POLLS - 1:
            yield ": still here\n\n"
        if not more:
            await anyio.sleep(POLL_SECONDS)


def _read(database: Database, job_id: str, after: int) -> tuple[JobOut, list[EventOut], bool]:
    with database.read() as session:
        job = JobOut.of(jobs.get(session, job_id))
        found, more = events.page(session, job_id, after=after, limit=_BATCH)
        return job, [EventOut.of(event) for event in found], more


def _message(type_: str, data: dict[str, Any], number: int | None = None) -> str:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {type_}\ndata: {json.dumps(data)}\n\n"
