"""What the processes of jobs wrote to their standard output and error, the newest part of it."""

from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from records.models import JobLog

MOST_BYTES = 1 << 20
"""Of one job's log; the oldest lines make room."""


@dataclass(frozen=True)
class Part:
    """A part of a log."""

    text: str
    start: int
    """Its first byte, counted from the beginning of the log."""
    end: int
    """The byte behind its last: what is asked for next."""
    first: int
    """The first byte of the log that is still kept."""


def append(session: Session, job_id: str, text: str) -> None:
    """Append whole lines to a job's log. Its row in `jobs` is locked, so that pieces follow each other."""
    start = session.scalar(select(func.max(JobLog.end)).where(JobLog.job_id == job_id)) or 0
    end = start + len(text.encode())
    session.add(JobLog(job_id=job_id, start=start, end=end, text=text))
    session.execute(
        delete(JobLog).where(JobLog.job_id == job_id, JobLog.end <= end - MOST_BYTES),
        execution_options={"synchronize_session": False},
    )
    session.flush()


def since(session: Session, job_id: str, after: int) -> Part:
    """What was written behind a byte; from the oldest byte that is kept, if that one is gone."""
    query = select(JobLog).where(JobLog.job_id == job_id, JobLog.end > after).order_by(JobLog.start)
    pieces = list(session.scalars(query))
    first, end = _bounds(session, job_id)
    if not pieces:
        return Part("", end, end, first)
    start = max(after, pieces[0].start)
    content = "".join(piece.text for piece in pieces).encode()
    return Part(content[start - pieces[0].start :].decode("utf-8", "replace"), start, pieces[-1].end, first)


def last(session: Session, job_id: str, lines: int) -> Part:
    """The last lines."""
    pieces: list[JobLog] = []
    found = 0
    for piece in session.scalars(select(JobLog).where(JobLog.job_id == job_id).order_by(JobLog.start.desc())):
        pieces.insert(0, piece)
        found += piece.text.count("\n")
        if found >= lines:
            break
    first, end = _bounds(session, job_id)
    text = "".join("".join(piece.text for piece in pieces).splitlines(keepends=True)[-lines:])
    return Part(text, end - len(text.encode()), end, first)


def _bounds(session: Session, job_id: str) -> tuple[int, int]:
    first, end = session.execute(select(func.min(JobLog.start), func.max(JobLog.end)).where(JobLog.job_id == job_id)).one()
    return first or 0, end or 0
