"""What past trainings have taken."""

from datetime import datetime

from sqlalchemy import BigInteger, Double, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base


class Measurement(Base):
    """Speed and memory of trainings of one sort on one model of device. It belongs to nobody, and names no data."""

    __tablename__ = "measurements"
    __table_args__ = (Index("ix_measurements_device_name", "device_name"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the device's name and all that speed and memory depend on."""
    device_name: Mapped[str] = mapped_column(String(200))
    encoder: Mapped[str] = mapped_column(String(64))
    stem: Mapped[str] = mapped_column(String(16))
    task: Mapped[str] = mapped_column(String(64))
    image_size: Mapped[int]
    """Pixels."""
    clip_frames: Mapped[int | None]
    batch_size: Mapped[int]
    precision: Mapped[str] = mapped_column(String(8))
    trainings: Mapped[int] = mapped_column(default=0)
    """How many there were."""
    samples: Mapped[int] = mapped_column(BigInteger, default=0)
    """Images or clips that went through the network in all."""
    seconds: Mapped[float] = mapped_column(Double, default=0.0)
    """Time that took in all."""
    flops: Mapped[float] = mapped_column(Double)
    """Arithmetic of one sample, as it is computed."""
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    """Memory of the newest at its peak, without its dataset."""
    measured_at: Mapped[datetime]
