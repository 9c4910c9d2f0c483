"""Workers."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json


class Worker(Base):
    """A worker process that is, or was, alive."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    device: Mapped[str] = mapped_column(String(8))
    slots: Mapped[dict[str, Any]] = mapped_column(Json)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
