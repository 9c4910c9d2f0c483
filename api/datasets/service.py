"""The rules of datasets."""

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.datasets.schemas import RefusedMember
from api.datasets.upload import Form
from api.pages import Metadata, Page
from api.services import Services
from records.blobs import Blobs
from records.errors import InvalidError
from records.models import Dataset
from records.queries import datasets, jobs

_LONGEST_NAME = 200


def upload_key(dataset_id: str) -> str:
    """Where the upload of a dataset lies until it is ingested."""
    return f"datasets/{dataset_id}/upload"


def create(services: Services, dataset_id: str, form: Form, idempotency_key: str | None) -> Dataset:
    """Make a dataset of an upload that has arrived, and queue its ingest. The upload is dropped if it was here before."""
    assert form.blob is not None
    assert form.filename is not None
    key, sha256 = upload_key(dataset_id), form.blob.digest()
    try:
        metadata = _metadata(form.fields.get("metadata"))
        kind = _kind(form.fields.get("kind", "auto"))
        with services.database.write() as session:
            known = datasets.replayed(session, idempotency_key, sha256)
            if known is None:
                dataset = datasets.create(
                    session,
                    dataset_id=dataset_id,
                    name=(form.fields.get("name", "").strip() or form.filename)[:_LONGEST_NAME],
                    filename=form.filename,
                    upload=(key, form.blob.size, sha256),
                    metadata=metadata,
                    kind=kind,
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


def _kind(text: str) -> str | None:
    if text not in {"auto", "image", "video"}:
        raise InvalidError(f"`kind` is auto, image or video, not {text!r:.40}", param="kind")
    return None if text == "auto" else text


def _metadata(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    try:
        return TypeAdapter(Metadata).validate_json(text)
    except ValidationError as error:
        raise InvalidError('`metadata` must be a JSON object of texts, such as {"place": "Oslo"}', param="metadata") from error


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
