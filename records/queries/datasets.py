"""Datasets."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.database import now
from records.errors import ConflictError, IdempotencyError, NotFoundError
from records.models import Dataset, Job
from records.queries import jobs, pages, rows
from records.queries.pages import EVERYTHING, Narrow


def create(
    session: Session,
    *,
    dataset_id: str,
    name: str,
    filename: str,
    upload: tuple[str, int, str | None],
    metadata: dict[str, str],
    idempotency_key: str | None,
    kind: str | None = None,
    upload_id: str | None = None,
    base: Dataset | None = None,
) -> Dataset:
    """Make a dataset of an upload, and the job that ingests it, for the kind if it is known.

    `upload` is its blob's key, its bytes, and its SHA-256 if that is known. `base` has the files that it leaves out.
    """
    key, size, sha256 = upload
    dataset = Dataset(
        id=dataset_id,
        name=name,
        state="ingesting",
        filename=filename,
        kind=kind,
        upload_key=key,
        upload_bytes=size,
        upload_sha256=sha256,
        upload_id=upload_id,
        base_dataset_id=None if base is None else base.id,
        meta=metadata,
        idempotency_key=idempotency_key,
        created_at=now(session),
    )
    session.add(dataset)
    session.flush()
    spec = {"filename": filename} if base is None else {"filename": filename, "base_dataset_id": base.id}
    dataset.job_id = jobs.create(session, kind="ingest", dataset_id=dataset_id, spec=spec).id
    return dataset


def replayed(
    session: Session, key: str | None, sha256: str | None = None, upload_id: str | None = None, base_dataset_id: str | None = None
) -> Dataset | None:
    """The dataset that an earlier upload with this idempotency key made.

    Raises:
        IdempotencyError: that upload had other content, or left out files of another dataset.
    """
    dataset = session.scalar(select(Dataset).where(Dataset.idempotency_key == key)) if key else None
    wanted = (sha256, upload_id, base_dataset_id)
    if dataset is not None and (dataset.upload_sha256, dataset.upload_id, dataset.base_dataset_id) != wanted:
        raise IdempotencyError
    return dataset


def get(session: Session, dataset_id: str, *, param: str | None = None) -> Dataset:
    """Find a dataset.

    Raises:
        NotFoundError: there is none with this id.
    """
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        raise NotFoundError.of("dataset", dataset_id, param)
    return dataset


def locked(session: Session, dataset_id: str) -> Dataset:
    """Find a dataset for a change, as it is now; nobody else changes it before the transaction ends.

    Raises:
        NotFoundError: there is none with this id.
    """
    return rows.locked(session, Dataset, dataset_id, "dataset")


def name_of(session: Session, dataset_id: str) -> str | None:
    """What a dataset is called; None if it is gone."""
    return session.scalar(select(Dataset.name).where(Dataset.id == dataset_id))


def ready(session: Session, dataset_id: str, *, param: str | None = None) -> Dataset:
    """Find a dataset that can be read.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it is still being ingested, or that has failed.
    """
    dataset = get(session, dataset_id, param=param)
    if dataset.state == "ingesting":
        raise ConflictError(f"the dataset is still being ingested; wait for its job {dataset.job_id}", param=param)
    if dataset.state != "ready":
        told = (dataset.error or {}).get("message", "its ingest failed")
        raise ConflictError(f"the dataset cannot be used: {told}", param=param)
    return dataset


def of_job(session: Session, job: Job) -> Dataset:
    """Find the dataset that a job works on.

    Raises:
        NotFoundError: it was deleted.
        ConflictError: it is not ready.
    """
    if job.dataset_id is None:
        raise NotFoundError("the dataset of the job was deleted")
    return ready(session, job.dataset_id)


def to_work_on(session: Session, dataset_id: str, *, param: str | None = None) -> Dataset:
    """Find a dataset that can be read, for a job that is made in the same transaction; until its end it cannot be deleted.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it is still being ingested, or that has failed.
    """
    session.execute(select(Dataset.id).where(Dataset.id == dataset_id).with_for_update(read=True))
    return ready(session, dataset_id, param=param)


def labels_to_work_on(session: Session, dataset_ids: Collection[str]) -> dict[str, list[str] | None]:
    """The classes of those datasets that can be read; none of them changes or is deleted before the transaction ends."""
    wanted = select(Dataset.id, Dataset.labels).where(Dataset.id.in_(dataset_ids), Dataset.state == "ready")
    found = session.execute(wanted.with_for_update(read=True)) if dataset_ids else ()
    return {row.id: row.labels for row in found}


def page(
    session: Session,
    *,
    limit: int,
    after: str | None,
    state: str | None = None,
    kind: str | None = None,
    name: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[Dataset], bool]:
    """One page of datasets, and whether there is more."""
    equal = [(Dataset.state, state), (Dataset.kind, kind), (Dataset.name, name)]
    return pages.page(session, select(Dataset), Dataset, limit=limit, after=after, narrow=narrow, equal=equal)


def delete(session: Session, dataset_id: str) -> None:
    """Delete a dataset's record. Its jobs and models stay, without it.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: a job still needs it.
    """
    dataset = locked(session, dataset_id)
    active = jobs.active_on(session, dataset_id)
    if active:
        names = ", ".join(job.id for job in active[:3])
        raise ConflictError(f"jobs still need this dataset ({names}); cancel them or wait for their end, then delete it")
    session.delete(dataset)


def reported(session: Session, dataset_id: str) -> Dataset:
    """Find a dataset that has a report: one that is ready, or whose images were all refused.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it is still being ingested, or failed before there was anything to tell.
    """
    dataset = get(session, dataset_id)
    return dataset if dataset.report is not None else ready(session, dataset_id)
