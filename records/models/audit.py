"""The audit log."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column, synonym

from records.models.base import Base, Json, Owned


class AuditEntry(Owned, Base):
    """Something that was done, or refused for want of rights, over HTTP. Written in the same transaction as what it tells of."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_project_id_id", "project_id", "id", "at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]
    created_at: Mapped[datetime] = synonym("at")
    """By the name that it has in all other records."""
    key_id: Mapped[str | None] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(64))
    """The operation, by the name that the OpenAPI document has for it."""
    outcome: Mapped[str] = mapped_column(String(16))
    """`done` or `denied`."""
    subjects: Mapped[list[Any]] = mapped_column(Json)
    """Ids of what it was done to, and of what it made."""
    request_id: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
