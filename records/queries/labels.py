"""Labels that are given to datasets later: which are the newest, and which a job that has begun still works with."""

from typing import Any

from sqlalchemy.orm import Session

from records.errors import ConflictError, NotFoundError
from records.models import Dataset, Job
from records.queries import jobs


def replace(
    session: Session, dataset_id: str, names: list[str] | None, file: dict[str, Any] | None, *, made_of: str | None = None
) -> list[str]:
    """Note a dataset's new labels. Gives the keys of the label files that nobody needs any more.

    Args:
        session: a transaction that writes.
        dataset_id: the dataset.
        names: the classes.
        file: the labels, as in `Dataset.label_file`; none for those of the upload.
        made_of: key of the label file that these were made of, if they were made of what the dataset had: empty for the upload's.

    Raises:
        NotFoundError: the dataset was deleted meanwhile.
        ConflictError: it has other labels by now than these were made of.
    """
    dataset = _locked(session, dataset_id)
    newest = key_of(dataset)
    if made_of is not None and (newest or "") != made_of:
        raise ConflictError("the labels were changed by another request meanwhile; send this one again")
    used = {(job.labels or {}).get("key") for job in jobs.active_on(session, dataset_id)}
    old = [*(dataset.label_files_kept or []), *([newest] if newest else [])]
    dataset.labels, dataset.label_file = names, file
    dataset.label_files_kept = [key for key in old if key in used] or None
    return [key for key in old if key not in used]


def pin(session: Session, job: Job) -> str | None:
    """Hold a job to the labels that its dataset has at its first attempt. Gives the key of their file; none for the upload's."""
    assert job.dataset_id is not None
    if job.labels is None:
        job.labels = {"key": key_of(_locked(session, job.dataset_id))}
    key: str | None = job.labels["key"]
    return key


def key_of(dataset: Dataset) -> str | None:
    """Blob of the labels that were given later; none if they are those of the upload."""
    return (dataset.label_file or {}).get("key")


def _locked(session: Session, dataset_id: str) -> Dataset:
    """The dataset, which nobody else changes before the transaction ends: a job that begins and new labels wait for each other."""
    dataset = session.get(Dataset, dataset_id, with_for_update=True, populate_existing=True)
    if dataset is None:
        raise NotFoundError.of("dataset", dataset_id)
    return dataset
