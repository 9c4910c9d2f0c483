"""Embeddings of datasets."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json, Owned


class Embedding(Owned, Base):
    """What an embed job made of a dataset, in Parquet files. It outlives the model and the dataset."""

    __tablename__ = "embeddings"
    __table_args__ = (
        Index("ix_embeddings_model_id", "model_id", "project_id", "id"),
        Index("ix_embeddings_dataset_id", "dataset_id", "project_id", "id"),
        Index("ix_embeddings_project_id_id", "project_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str] = mapped_column(String(40), unique=True)
    model_id: Mapped[str] = mapped_column(String(40))
    dataset_id: Mapped[str | None] = mapped_column(String(40))
    stage: Mapped[str | None] = mapped_column(String(100))
    """After which stage of the encoder; None: its own features."""
    normalized: Mapped[bool]
    features: Mapped[int]
    """Numbers in each embedding."""
    rows: Mapped[int] = mapped_column(BigInteger)
    """How many images or videos are embedded."""
    left_out: Mapped[int] = mapped_column(BigInteger)
    """Videos that are too short for a clip."""
    weights_sha256: Mapped[str] = mapped_column(String(64))
    files: Mapped[list[Any]] = mapped_column(Json)
    """The Parquet files in order, each `{name, key, bytes, sha256}`."""
    created_at: Mapped[datetime]
    meta: Mapped[dict[str, str]] = mapped_column("metadata", Json, default=dict)
