"""Resumable uploads: announce, find, prolong, throw away."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from records.database import now
from records.errors import BacklogError, ConflictError, GoneError, NotFoundError
from records.ids import new_id
from records.models import Upload
from records.queries import pages, rows
from records.queries.pages import EVERYTHING, Narrow


class UsedError(ConflictError):
    """A dataset was made of this upload already."""

    code = "upload_used"


def prefix_of(upload_id: str) -> str:
    """What the keys of an upload's blobs begin with."""
    return f"uploads/{upload_id}"


def key_of(upload_id: str) -> str:
    """Where an upload grows."""
    return f"{prefix_of(upload_id)}/content"


def create(
    session: Session,
    *,
    filename: str,
    size: int,
    meta: str,
    hours: float,
    most: int,
    most_bytes: int,
    notes: dict[str, str] | None = None,
) -> Upload:
    """Note an upload that is to come.

    Args:
        session: the transaction.
        filename: the file's own name.
        size: its bytes.
        meta: `Upload-Metadata` as it was sent.
        hours: how long it may be silent.
        most: bound for the number of uploads that no dataset was made of yet. Kept to by those alone who hold the project.
        most_bytes: bound for the bytes of those.
        notes: the uploader's metadata.

    Raises:
        BacklogError: there would be too much of them.
    """
    moment = now(session)
    waiting = select(func.count(), func.coalesce(func.sum(Upload.bytes), 0)).where(
        Upload.dataset_id.is_(None), Upload.expires_at > moment
    )
    count, total = session.execute(waiting).one()
    if count >= most:
        raise BacklogError(
            f"{count:,} uploads wait to be finished or to become a dataset, and this server keeps {most:,} "
            "(PRETEXT_MAX_UNFINISHED_UPLOADS); finish some, or delete them: GET /v1/uploads lists them"
        )
    if total + size > most_bytes:
        raise BacklogError(
            f"uploads that wait to be finished or to become a dataset have {total:,} bytes, and with this one they would have "
            f"more than {most_bytes:,} (PRETEXT_MAX_UNFINISHED_BYTES); finish some, or delete them: GET /v1/uploads lists them"
        )
    upload = Upload(
        id=new_id("up"),
        filename=filename,
        bytes=size,
        meta=meta,
        notes=notes or {},
        created_at=moment,
        expires_at=moment + timedelta(hours=hours),
    )
    session.add(upload)
    session.flush()
    return upload


def get(session: Session, upload_id: str, *, param: str | None = None) -> Upload:
    """Find an upload, whatever has become of it.

    Raises:
        NotFoundError: there is none with this id.
    """
    upload = session.get(Upload, upload_id)
    if upload is None:
        raise NotFoundError.of("upload", upload_id, param)
    return upload


def live(session: Session, upload_id: str, *, param: str | None = None) -> Upload:
    """Find an upload that can still grow or become a dataset.

    Raises:
        NotFoundError: there is none with this id.
        UsedError: a dataset was made of it.
        GoneError: it has expired.
    """
    upload = get(session, upload_id, param=param)
    if upload.dataset_id is not None:
        raise UsedError(f"the upload has become the dataset {upload.dataset_id}", param=param)
    if upload.expires_at <= now(session):
        raise GoneError("the upload has expired, and its bytes are thrown away; begin a new one", param=param)
    return upload


def prolong(session: Session, upload_id: str, hours: float, *, unverified_from: int | None = None) -> None:
    """Note that an upload is alive, and from where on its bytes do not count yet."""
    upload = session.get(Upload, upload_id)
    if upload is not None:
        upload.expires_at = now(session) + timedelta(hours=hours)
        upload.unverified_from = unverified_from


def want(session: Session, upload_id: str) -> None:
    """Note that a request waits for another one to let an upload go."""
    upload = session.get(Upload, upload_id)
    if upload is not None:
        upload.wanted_at = now(session)


def locked(session: Session, upload_id: str) -> Upload:
    """Find an upload for a change of its record; nobody else changes that before the transaction ends.

    Raises:
        NotFoundError: there is none with this id.
    """
    return rows.locked(session, Upload, upload_id, "upload")


def page(session: Session, *, limit: int, after: str | None, narrow: Narrow = EVERYTHING) -> tuple[list[Upload], bool]:
    """One page of the uploads that no dataset was made of yet, and whether there is more."""
    query = select(Upload).where(Upload.dataset_id.is_(None), Upload.expires_at > now(session))
    return pages.page(session, query, Upload, limit=limit, after=after, narrow=narrow)


def expired(session: Session, limit: int = 100) -> list[str]:
    """Ids of uploads whose time is over. An upload that has expired never comes back to life."""
    return list(session.scalars(select(Upload.id).where(Upload.expires_at <= now(session)).limit(limit)))


def forget(session: Session, upload_id: str) -> None:
    """Delete an upload's record."""
    upload = session.get(Upload, upload_id)
    if upload is not None:
        session.delete(upload)
