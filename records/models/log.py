"""Logs of jobs."""

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base


class JobLog(Base):
    """A piece of what a job's process wrote, of whole lines. Pieces follow each other; the oldest make room."""

    __tablename__ = "job_logs"

    job_id: Mapped[str] = mapped_column(String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Its first byte, counted from the beginning of the log, in UTF-8."""
    end: Mapped[int] = mapped_column(BigInteger)
    """The byte behind its last."""
    text: Mapped[str] = mapped_column(Text)
