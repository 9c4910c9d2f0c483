"""Resumable uploads."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json, Owned


class Upload(Owned, Base):
    """A file that arrives over one or more requests. How much of it is here, only the store of blobs knows."""

    __tablename__ = "uploads"
    __table_args__ = (Index("ix_uploads_project_id_id", "project_id", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    filename: Mapped[str] = mapped_column(String(500))
    bytes: Mapped[int] = mapped_column(BigInteger)
    """Of the whole file, as they were announced."""
    meta: Mapped[str] = mapped_column("metadata", String(4096))
    """`Upload-Metadata` as it was sent."""
    notes: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    """What other records have as their metadata: the uploader's own notes."""
    unverified_from: Mapped[int | None] = mapped_column(BigInteger)
    """Where a part begins whose checksum was not yet compared; what lies behind it does not count."""
    wanted_at: Mapped[datetime | None]
    """When a request last found it held by another one, which lets it go if its own connection is silent."""
    dataset_id: Mapped[str | None] = mapped_column(String(40))
    """The dataset that was made of it; its bytes are that one's from then on."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
