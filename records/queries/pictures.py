"""Pictures of trainings."""

import dataclasses
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from records.database import now
from records.errors import NotFoundError
from records.models import JobPicture
from records.queries import events, jobs


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A picture that lies in the blob store and that nothing refers to yet."""

    epoch: int
    step: int
    key: str
    bytes: int
    sha256: str
    width: int
    height: int
    caption: str


def put(session: Session, job_id: str, attempt: int, drawn: Sequence[Drawn]) -> list[str]:
    """Store pictures of a job, which the caller holds, and tell its watchers.

    Returns:
        Keys of the blobs that were replaced, and that nothing refers to any more.
    """
    newest = {one.epoch: one for one in drawn}
    replaced, told = [one.key for one in drawn], []
    for one in newest.values():
        row = session.get(JobPicture, (job_id, one.epoch))
        if row is not None:
            replaced.append(row.key)
        if row is None or row.key != one.key:  # else it was committed before, and the answer was lost on its way
            fields = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
            session.merge(JobPicture(job_id=job_id, attempt=attempt, at=now(session), **fields))
            told.append(("picture", {"epoch": one.epoch, "step": one.step}))
    session.flush()
    events.add(session, job_id, attempt, told)
    return sorted({*replaced} - {one.key for one in newest.values()})


def keys(session: Session, job_id: str) -> set[str]:
    """Keys of all blobs that a job's pictures refer to."""
    return set(session.scalars(select(JobPicture.key).where(JobPicture.job_id == job_id)))


def page(session: Session, job_id: str, *, after: int, limit: int) -> tuple[list[JobPicture], bool]:
    """Pictures after an epoch, oldest first, and whether there is more."""
    query = select(JobPicture).where(JobPicture.job_id == job_id, JobPicture.epoch > after)
    found = list(session.scalars(query.order_by(JobPicture.epoch).limit(limit + 1)))
    return found[:limit], len(found) > limit


def get(session: Session, job_id: str, epoch: int) -> JobPicture:
    """Find the picture of an epoch.

    Raises:
        NotFoundError: there is no such job, or none of this epoch; says which there are.
    """
    jobs.get(session, job_id)
    picture = session.get(JobPicture, (job_id, epoch))
    if picture is None:
        extent = select(func.min(JobPicture.epoch), func.max(JobPicture.epoch)).where(JobPicture.job_id == job_id)
        first, last = session.execute(extent).one()
        there = "none yet" if first is None else f"those of the epochs {first} to {last}"
        raise NotFoundError(f"job {job_id} has no picture of epoch {epoch}; it has {there}")
    return picture


def newest(session: Session, job_id: str) -> JobPicture:
    """Find the picture of the last epoch that has one.

    Raises:
        NotFoundError: there is no such job, or it has none.
    """
    jobs.get(session, job_id)
    query = select(JobPicture).where(JobPicture.job_id == job_id).order_by(JobPicture.epoch.desc()).limit(1)
    picture = session.scalar(query)
    if picture is None:
        raise NotFoundError(f"job {job_id} has no picture yet")
    return picture
