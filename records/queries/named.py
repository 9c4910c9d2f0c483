"""Which blobs have a record that names them."""

from collections.abc import Iterable, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from records.models import Dataset, Embedding, Evaluation, Job, JobPicture, Model

_OWNERS: dict[str, InstrumentedAttribute[str]] = {
    "datasets": Dataset.id,
    "embeddings": Embedding.id,
    "evaluations": Evaluation.id,
    "jobs": Job.id,
    "models": Model.id,
}
"""Whose ids are the second word of a key, by its first."""
_OF_JOBS = ("checkpoints", "pictures")
_OF_DATASETS = ("attempt-", "upload")


def without_record(session: Session, keys: Sequence[str]) -> list[str]:
    """Those of some keys whose record does not exist, or exists and does not name them.

    What lies beside these in the folder of a record is left alone: who stores something new there need not think of this place.
    """
    owners = {tuple(key.split("/")[:2]) for key in keys}
    there = {(folder, id_) for folder, column in _OWNERS.items() for id_ in _existing(session, column, owners, folder)}
    named = _of_jobs(session, there) | _of_datasets(session, there)
    return [key for key in keys if _is_orphan(key, there, named)]


def _is_orphan(key: str, there: set[tuple[str, str]], named: set[str]) -> bool:
    folder, id_, *rest = key.split("/")
    if folder not in _OWNERS or not rest or key in named:
        return False
    if (folder, id_) not in there:
        return True
    known = _OF_JOBS if folder == "jobs" else _OF_DATASETS if folder == "datasets" else ()
    return bool(known) and rest[0].startswith(known)


def _existing(session: Session, column: InstrumentedAttribute[str], owners: Iterable[tuple[str, ...]], folder: str) -> list[str]:
    ids = [id_ for first, id_ in owners if first == folder]
    return list(session.scalars(select(column).where(column.in_(ids)))) if ids else []


def _of_jobs(session: Session, there: set[tuple[str, str]]) -> set[str]:
    ids = [id_ for folder, id_ in there if folder == "jobs"]
    if not ids:
        return set()
    found = set(session.scalars(select(JobPicture.key).where(JobPicture.job_id.in_(ids))))
    # A retry has taken over those of the job before it, under their old keys.
    for checkpoints in session.scalars(select(Job.checkpoints).where(or_(Job.id.in_(ids), Job.retry_of.is_not(None)))):
        found |= {checkpoint["key"] for checkpoint in checkpoints}
    return found


def _of_datasets(session: Session, there: set[tuple[str, str]]) -> set[str]:
    ids = [id_ for folder, id_ in there if folder == "datasets"]
    if not ids:
        return set()
    found: set[str] = set()
    for shards, *keys in session.execute(
        select(Dataset.shards, Dataset.upload_key, Dataset.refused_key).where(Dataset.id.in_(ids))
    ):
        found |= {shard["key"] for shard in shards or []} | {key for key in keys if key is not None}
    return found
