"""Metrics of jobs."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json


class JobMetric(Base):
    """Figures of one step. A step that is trained again after a crash replaces its row, so no figure is there twice."""

    __tablename__ = "job_metrics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int]
    at: Mapped[datetime]
    attempt: Mapped[int]
    values: Mapped[dict[str, Any]] = mapped_column(Json)
