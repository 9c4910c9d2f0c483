"""Entries of metadata, where an index finds them."""

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Owned


class Note(Owned, Base):
    """One entry of a record's metadata. `records.notes` keeps them as the records have them."""

    __tablename__ = "notes"
    __table_args__ = (Index("ix_notes_project_id", "project_id", "kind", "key", "value", "record_id"),)

    record_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    """Table of the record."""
    value: Mapped[str] = mapped_column(String(500))
