"""The rules of datasets."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from api.datasets.schemas import DatasetIn, RefusedMember
from api.datasets.upload import Form
from api.metadata import parsed
from api.pages import Page
from api.quotas import check_quota
from api.services import Services
from api.uploads.service import offset_of
from records.blobs import Blobs
from records.database import after_commit
from records.errors import ConflictError, InvalidError
from records.models import Dataset
from records.queries import datasets, jobs, uploads

_LONGEST_NAME = 200


class IncompleteError(ConflictError):
    """The upload is not complete."""

    code = "upload_incomplete"


def upload_key(dataset_id: str) -> str:
    """Where the upload of a dataset lies until it is ingested."""
    return f"datasets/{dataset_id}/upload"


def create(services: Services, dataset_id: str, form: Form, idempotency_key: str | None) -> Dataset:
    """Make a dataset of an upload that has arrived, and queue its ingest. The upload is dropped if it was here before."""
    assert form.blob is not None
    assert form.filename is not None
    key, sha256 = upload_key(dataset_id), form.blob.digest()
    try:
        metadata = parsed(form.fields.get("metadata"))
        kind = _kind(form.fields.get("kind", "auto"))
        with services.database.write() as session:
            base_id = form.fields.get("base_dataset_id") or None
            known = datasets.replayed(session, idempotency_key, sha256, base_dataset_id=base_id)
            if known is None:
                base = _base(session, base_id)
                check_quota(session, form.blob.size + _bytes_of(base))
                dataset = datasets.create(
                    session,
                    dataset_id=dataset_id,
                    name=_name(form.fields.get("name", "")) or form.filename[:_LONGEST_NAME],
                    filename=form.filename,
                    upload=(key, form.blob.size, sha256),
                    metadata=metadata,
                    kind=kind,
                    base=base,
                    idempotency_key=idempotency_key,
                )
                assert dataset.job_id is not None
                services.wake_for(session, jobs.get(session, dataset.job_id))
                return dataset
    except BaseException:
        services.blobs.delete(f"datasets/{dataset_id}")
        raise
    services.blobs.delete(f"datasets/{dataset_id}")
    return known


def _base(session: Session, dataset_id: str | None) -> Dataset | None:
    """The dataset that has the files which an upload leaves out; it cannot be deleted before they are copied."""
    return None if dataset_id is None else datasets.to_work_on(session, dataset_id, param="base_dataset_id")


def _bytes_of(base: Dataset | None) -> int:
    """The most that an upload can take from a dataset."""
    return 0 if base is None else sum(shard["bytes"] for shard in base.shards or [])


def _name(given: str) -> str:
    if len(given) > _LONGEST_NAME:
        raise InvalidError(f"a name may have up to {_LONGEST_NAME} characters, and this one has {len(given)}", param="name")
    return given.strip()


def create_of_upload(services: Services, dataset_id: str, wanted: DatasetIn, idempotency_key: str | None) -> Dataset:
    """Make a dataset of a resumable upload that is complete, and queue its ingest. No byte is copied.

    Raises:
        NotFoundError: there is no such upload, or no such base.
        ConflictError: it is not complete, or was made a dataset already; or the base is not ready.
        LockedError: a request sends bytes to it at the moment.
    """
    with services.database.read() as session:
        known = datasets.replayed(session, idempotency_key, upload_id=wanted.upload_id, base_dataset_id=wanted.base_dataset_id)
        if known is not None:
            return known
        uploads.live(session, wanted.upload_id, param="upload_id")
    try:
        with services.blobs.grow(uploads.key_of(wanted.upload_id)), services.database.write() as session:
            return _of_held(services, session, dataset_id, wanted, idempotency_key)
    except BaseException:
        services.blobs.delete(f"datasets/{dataset_id}")
        raise


def _of_held(services: Services, session: Session, dataset_id: str, wanted: DatasetIn, idempotency_key: str | None) -> Dataset:
    """The upload keeps its name for the bytes until the dataset is committed, so that a crash in between loses nothing."""
    known = datasets.replayed(session, idempotency_key, upload_id=wanted.upload_id, base_dataset_id=wanted.base_dataset_id)
    if known is not None:
        return known
    base = _base(session, wanted.base_dataset_id)
    if base is not None:
        check_quota(session, _bytes_of(base))  # those of the upload are counted already
    upload = uploads.live(session, wanted.upload_id, param="upload_id")
    here = offset_of(services, upload)
    if here < upload.bytes:
        told = f"{here:,} of {upload.bytes:,} bytes of the upload are here; send it on from {here} (PATCH /v1/uploads/{upload.id})"
        raise IncompleteError(told, param="upload_id")
    if upload.bytes == 0:
        raise InvalidError("the uploaded file is empty", param="upload_id")
    dataset = datasets.create(
        session,
        dataset_id=dataset_id,
        name=wanted.name.strip() or upload.filename[:_LONGEST_NAME],
        filename=upload.filename,
        upload=(upload_key(dataset_id), upload.bytes, None),
        metadata=upload.notes if wanted.metadata is None else wanted.metadata,
        kind=None if wanted.kind == "auto" else wanted.kind,
        upload_id=upload.id,
        base=base,
        idempotency_key=idempotency_key,
    )
    upload.dataset_id = dataset.id
    session.flush()
    services.blobs.ripen(uploads.key_of(upload.id), upload_key(dataset_id))
    after_commit(session, partial(services.blobs.delete, uploads.prefix_of(upload.id)))
    assert dataset.job_id is not None
    services.wake_for(session, jobs.get(session, dataset.job_id))
    return dataset


def _kind(text: str) -> str | None:
    if text not in {"auto", "image", "video"}:
        raise InvalidError(f"`kind` is auto, image or video, not {text!r:.40}", param="kind")
    return None if text == "auto" else text


def files(blobs: Blobs, dataset: Dataset) -> Iterator[bytes]:
    """The list of files, in pieces."""
    if dataset.files_key is None:
        return
    with blobs.path(dataset.files_key).open("rb") as file:
        while piece := file.read(1 << 18):
            yield piece


def refused(blobs: Blobs, dataset: Dataset, *, after: int, limit: int) -> Page[RefusedMember]:
    """One page of the members that were refused."""
    if dataset.refused_key is None:
        return Page(data=[], has_more=False)
    found: list[dict[str, Any]] = []
    with blobs.path(dataset.refused_key).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number >= after:
                found.append(json.loads(line))
            if len(found) > limit:
                break
    return Page(data=[RefusedMember.model_validate(member) for member in found[:limit]], has_more=len(found) > limit)
