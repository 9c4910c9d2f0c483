"""Aliases of models."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Owned


class ModelAlias(Owned, Base):
    """A name, such as `production`, that stands for one model of the project and can be moved to another."""

    __tablename__ = "model_aliases"
    __table_args__ = (
        UniqueConstraint("project_id", "name", name="uq_model_aliases_project_id"),
        Index("ix_model_aliases_model_id", "model_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id"))
    """A model that an alias names cannot be deleted."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    """When it was last moved to another model."""
