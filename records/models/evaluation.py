"""Evaluations of models."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json, Owned


class Evaluation(Owned, Base):
    """What an evaluate job found out of a model's encoder. It outlives the model and the dataset."""

    __tablename__ = "evaluations"
    __table_args__ = (
        Index("ix_evaluations_model_id", "model_id", "project_id", "id"),
        Index("ix_evaluations_dataset_id", "dataset_id", "project_id", "id"),
        Index("ix_evaluations_project_id_id", "project_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str] = mapped_column(String(40), unique=True)
    model_id: Mapped[str] = mapped_column(String(40))
    dataset_id: Mapped[str | None] = mapped_column(String(40))
    sentence: Mapped[str] = mapped_column(String(2000))
    """The answer in words."""
    metrics: Mapped[dict[str, Any]] = mapped_column(Json)
    """The figures that stand for it."""
    report: Mapped[dict[str, Any]] = mapped_column(Json)
    files: Mapped[list[Any]] = mapped_column(Json)
    """The report and its pictures as files, each `{name, key, bytes, sha256}`."""
    created_at: Mapped[datetime]
    meta: Mapped[dict[str, str]] = mapped_column("metadata", Json, default=dict)
