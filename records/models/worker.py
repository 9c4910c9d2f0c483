"""Workers."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json


class Worker(Base):
    """A worker process that is, or was, alive."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    device: Mapped[str] = mapped_column(String(8))
    device_name: Mapped[str | None] = mapped_column(String(200))
    """Model of its GPU, or of its processor and how many threads it has."""
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Memory that its jobs may take together: the GPU's, or the machine's."""
    slots: Mapped[dict[str, Any]] = mapped_column(Json)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
