"""Models: encoders that were trained here, or brought along."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from records.models.alias import ModelAlias
from records.models.base import Base, Json, Owned


class ModelFile(Base):
    """One file of a model's bundle."""

    __tablename__ = "model_files"

    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    key: Mapped[str] = mapped_column(String(200))
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))


class Model(Owned, Base):
    """An encoder with its files. A job makes one at most; one that somebody uploaded has no job and the task `imported`."""

    __tablename__ = "models"
    __table_args__ = (
        Index("ix_models_project_id_id", "project_id", "id"),
        Index("ix_models_project_id_task", "project_id", "task", "id"),
        Index("ix_models_project_id_name", "project_id", "name", "id"),
        Index("ix_models_dataset_id", "dataset_id", "project_id", "id"),
        Index("ix_models_made_from", "made_from", "project_id", "id"),
        UniqueConstraint("project_id", "idempotency_key", name="uq_models_project_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    job_id: Mapped[str | None] = mapped_column(String(40), unique=True)
    dataset_id: Mapped[str | None] = mapped_column(String(40))
    task: Mapped[str] = mapped_column(String(40))
    encoder: Mapped[dict[str, Any]] = mapped_column(Json)
    features: Mapped[int]
    image_size: Mapped[int]
    metrics: Mapped[dict[str, Any]] = mapped_column(Json)
    ends_at: Mapped[str | None] = mapped_column(String(100))
    """The stage that its features are taken from; none if they are the whole network's."""
    made_from: Mapped[str | None] = mapped_column(String(40))
    """The model that it was exported from."""
    created_at: Mapped[datetime]
    meta: Mapped[dict[str, str]] = mapped_column("metadata", Json, default=dict)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    files: Mapped[list[ModelFile]] = relationship(order_by=ModelFile.name, lazy="selectin", cascade="all, delete-orphan")
    aliases: Mapped[list[ModelAlias]] = relationship(order_by=ModelAlias.name, lazy="selectin", viewonly=True)
