"""What the end of an ingest means for its dataset."""

from typing import Any

from sqlalchemy.orm import Session

from records.models import Dataset, Job

_CANCELLED = {"code": "cancelled", "message": "its ingest was cancelled; delete the dataset and upload it again"}


def fail(session: Session, job: Job, error: dict[str, Any] | None) -> None:
    """Note at a job's dataset, if the job ingests it, that this has failed for good; without an error, that it was cancelled."""
    if job.kind != "ingest" or job.dataset_id is None:
        return
    dataset = session.get(Dataset, job.dataset_id)
    if dataset is not None and dataset.state == "ingesting":
        dataset.state = "failed"
        dataset.error = error or _CANCELLED
