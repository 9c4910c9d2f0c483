"""What past trainings have taken, by model of device."""

from dataclasses import dataclass
from hashlib import sha256
from statistics import median
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.database import now
from records.models import Measurement

_MOST_LOOKED_AT = 1000


class Sort(Protocol):
    """What trainings have in common that take the same on the same device; `ssl_core.spec.costs.Sort` is one."""

    @property
    def key(self) -> str:
        """SHA-256, of everything that memory and speed depend on."""

    @property
    def encoder(self) -> str:
        """Its name."""

    @property
    def stem(self) -> str:
        """The encoder's."""

    @property
    def task(self) -> str:
        """Its name."""

    @property
    def image_size(self) -> int:
        """Side, in pixels."""

    @property
    def clip_frames(self) -> int | None:
        """Frames of a clip; None for images."""

    @property
    def batch_size(self) -> int:
        """Images or clips of a step."""

    @property
    def precision(self) -> str:
        """Of the arithmetic."""

    @property
    def flops(self) -> float:
        """Of a step, for one sample."""


@dataclass(frozen=True)
class Speed:
    """How fast a training will be."""

    samples_per_second: float
    """Images or clips of the dataset."""
    measured: bool
    """Whether trainings of the very same sort were that fast; else it is computed from others on the same device."""
    trainings: int
    """How many it is known by."""


def note(session: Session, device_name: str, sort: Sort, *, samples: int, seconds: float, memory_bytes: int | None) -> None:
    """Keep what a training has taken. Without `samples`, its memory alone."""
    id_ = _id(device_name, sort)
    at = now(session)
    known = session.get(Measurement, id_, with_for_update=True)
    if known is None:
        known = Measurement(
            id=id_,
            device_name=device_name,
            encoder=sort.encoder,
            stem=sort.stem,
            task=sort.task,
            image_size=sort.image_size,
            clip_frames=sort.clip_frames,
            batch_size=sort.batch_size,
            precision=sort.precision,
            trainings=0,
            samples=0,
            seconds=0.0,
            flops=sort.flops,
            memory_bytes=0,
            measured_at=at,
        )
        session.add(known)
    known.trainings += 1
    known.samples += samples
    known.seconds += seconds
    known.memory_bytes = memory_bytes or known.memory_bytes
    known.measured_at = at
    session.flush()


def memory(session: Session, device_name: str | None, sort: Sort) -> int | None:
    """Memory that a training of this sort took on such a device, without its dataset, in bytes; None if there was none."""
    known = None if device_name is None else session.get(Measurement, _id(device_name, sort))
    return known.memory_bytes or None if known is not None else None


def speed(session: Session, device_name: str | None, sort: Sort) -> Speed | None:
    """How fast a training will be on such a device; None if none was trained there yet.

    By trainings of the same sort if there were some; else by how much arithmetic a second those of the same encoder got done, or
    those of any, if there were none of it.
    """
    if device_name is None:
        return None
    known = session.get(Measurement, _id(device_name, sort))
    if known is not None and known.seconds > 0:
        return Speed(known.samples / known.seconds, True, known.trainings)
    timed = select(Measurement).where(Measurement.device_name == device_name, Measurement.seconds > 0)
    others = list(session.scalars(timed.order_by(Measurement.measured_at.desc()).limit(_MOST_LOOKED_AT)))
    same = [one for one in others if one.encoder == sort.encoder]
    alike = [one for one in same if one.task == sort.task] or same or others
    if not alike:
        return None
    flops = median(one.flops * one.samples / one.seconds for one in alike)
    return Speed(flops / sort.flops, False, sum(one.trainings for one in alike))


def _id(device_name: str, sort: Sort) -> str:
    return sha256(f"{device_name}\n{sort.key}".encode()).hexdigest()
