"""Datasets."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json, Owned


class Dataset(Owned, Base):
    """Images or videos that were uploaded, and what ingest made of them."""

    __tablename__ = "datasets"
    __table_args__ = (
        Index("ix_datasets_project_id_id", "project_id", "id"),
        Index("ix_datasets_project_id_state", "project_id", "state", "id"),
        Index("ix_datasets_project_id_name", "project_id", "name", "id"),
        UniqueConstraint("project_id", "idempotency_key", name="uq_datasets_project_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16))
    """`ingesting`, `ready` or `failed`."""
    filename: Mapped[str] = mapped_column(String(500))
    upload_bytes: Mapped[int] = mapped_column(BigInteger)
    upload_sha256: Mapped[str | None] = mapped_column(String(64))
    """None if it came as a resumable upload, whose parts no single process may have seen."""
    upload_id: Mapped[str | None] = mapped_column(String(40))
    """The resumable upload that it was made of."""
    base_dataset_id: Mapped[str | None] = mapped_column(String(40))
    """The dataset that files which the upload left out were taken from. It may be gone by now."""
    upload_key: Mapped[str | None] = mapped_column(String(200))
    """Blob with the upload as it came; none once it is ingested."""
    kind: Mapped[str | None] = mapped_column(String(8))
    """`image` or `video`: as the uploader says, or as ingest finds out."""
    images: Mapped[int | None] = mapped_column(BigInteger)
    """Number of images, or of videos."""
    refused: Mapped[int | None] = mapped_column(BigInteger)
    median_side: Mapped[int | None]
    """Median of the images' or videos' shorter sides, in pixels."""
    labels: Mapped[list[str] | None] = mapped_column(Json)
    """Names of the classes: of the upload's class folders, or of the labels that were given later."""
    label_file: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """The labels that were given later, a Parquet file: `{key, version, counts, splits}`; none if they are those of the upload."""
    label_files_kept: Mapped[list[str] | None] = mapped_column(Json)
    """Keys of label files that were replaced while a job worked with them."""
    shards: Mapped[list[Any] | None] = mapped_column(Json)
    """The Parquet shards in order, each `{key, rows, bytes, sha256}`."""
    report: Mapped[dict[str, Any] | None] = mapped_column(Json)
    refused_key: Mapped[str | None] = mapped_column(String(200))
    """Blob with the refused members, one JSON object a line."""
    files_key: Mapped[str | None] = mapped_column(String(200))
    """Blob with the files that are stored as they came, one JSON object a line. Older datasets have none."""
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    job_id: Mapped[str | None] = mapped_column(String(40))
    """The job that ingests it."""
    created_at: Mapped[datetime]
    meta: Mapped[dict[str, str]] = mapped_column("metadata", Json, default=dict)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
