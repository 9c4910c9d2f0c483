"""Which blobs the records refer to. A blob that none refers to is nobody's."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.models import Dataset, Embedding, Evaluation, Job, JobPicture, Model, ModelFile, Upload
from records.states import JobState

KINDS: dict[str, Any] = {
    "datasets": Dataset,
    "models": Model,
    "jobs": Job,
    "evaluations": Evaluation,
    "embeddings": Embedding,
    "uploads": Upload,
}
"""What owns the blobs below the first word of a key."""
_OVER = [str(state) for state in (JobState.SUCCEEDED, JobState.CANCELLED)]


def there(session: Session, kind: str, ids: Sequence[str]) -> set[str]:
    """Those of the records that are there."""
    table = KINDS[kind]
    return set(session.scalars(select(table.id).where(table.id.in_(ids))))


def keys(session: Session, kind: str, ids: Sequence[str]) -> set[str]:
    """Keys of the blobs that these records refer to, and of those below their prefixes that others do."""
    match kind:
        case "datasets":
            return _of_datasets(session, ids)
        case "models":
            return set(session.scalars(select(ModelFile.key).where(ModelFile.model_id.in_(ids))))
        case "jobs":
            pictures = set(session.scalars(select(JobPicture.key).where(JobPicture.job_id.in_(ids))))
            return pictures | _checkpoints(session)
        case _:
            files = session.scalars(select(KINDS[kind].files).where(KINDS[kind].id.in_(ids)))
            return {file["key"] for found in files for file in found}


def _of_datasets(session: Session, ids: Sequence[str]) -> set[str]:
    found: set[str | None] = set()
    for dataset in session.scalars(select(Dataset).where(Dataset.id.in_(ids))):
        found |= {dataset.upload_key, dataset.refused_key, *(shard["key"] for shard in dataset.shards or [])}
        found |= {(dataset.label_file or {}).get("key"), *(dataset.label_files_kept or [])}
    for labels in session.scalars(select(Job.labels).where(Job.dataset_id.in_(ids), Job.labels.is_not(None))):
        found.add((labels or {}).get("key"))
    return {key for key in found if key is not None}


def _checkpoints(session: Session) -> set[str]:
    """Of all jobs, for a retry takes over those of the job before it. One statement, so none is missed on its way."""
    found = session.scalars(select(Job.checkpoints).where(Job.state.not_in(_OVER)))
    return {one["key"] for checkpoints in found for one in checkpoints}
