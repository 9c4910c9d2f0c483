"""Pictures of trainings."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base

LONGEST_CAPTION = 1000


class JobPicture(Base):
    """What a training drew after an epoch. An epoch that is trained again replaces its row, so no epoch is there twice."""

    __tablename__ = "job_pictures"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Pass over the dataset, from 1; 0 is before the training."""
    step: Mapped[int] = mapped_column(BigInteger)
    attempt: Mapped[int]
    key: Mapped[str] = mapped_column(String(200))
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    caption: Mapped[str] = mapped_column(String(LONGEST_CAPTION))
    at: Mapped[datetime]

    @property
    def format(self) -> str:
        """`png`, or `webp` for one that moves, as its key says."""
        return "webp" if self.key.endswith(".webp") else "png"
