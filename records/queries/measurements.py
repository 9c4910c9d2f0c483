"""What past trainings have taken, by model of device."""

import json
from dataclasses import dataclass
from hashlib import sha256
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.database import now
from records.models import Measurement
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.costs import flops_of

_MOST_LOOKED_AT = 1000


@dataclass(frozen=True)
class Speed:
    """How fast a training will be."""

    samples_per_second: float
    """Images or clips of the dataset."""
    measured: bool
    """Whether trainings of the very same sort were that fast; else it is computed from others on the same device."""
    trainings: int
    """How many it is known by."""


def note(
    session: Session, device_name: str, spec: ResolvedPretrain, *, samples: int, seconds: float, memory_bytes: int | None
) -> None:
    """Keep what a training has taken. Without `samples`, its memory alone."""
    id_ = _id(device_name, spec)
    known = session.get(Measurement, id_, with_for_update=True)
    if known is None:
        known = Measurement(
            id=id_,
            device_name=device_name,
            encoder=spec.encoder.name,
            stem=spec.encoder.stem,
            task=spec.task.name,
            image_size=spec.image_size,
            clip_frames=spec.clip_frames,
            batch_size=spec.batch_size,
            precision=spec.precision,
            trainings=0,
            samples=0,
            seconds=0.0,
            flops=flops_of(spec),
            memory_bytes=0,
        )
        session.add(known)
    known.trainings += 1
    known.samples += samples
    known.seconds += seconds
    known.memory_bytes = memory_bytes or known.memory_bytes
    known.measured_at = now(session)
    session.flush()


def memory(session: Session, device_name: str | None, spec: ResolvedPretrain) -> int | None:
    """Memory that a training of this sort took on such a device, without its dataset, in bytes; None if there was none."""
    known = None if device_name is None else session.get(Measurement, _id(device_name, spec))
    return known.memory_bytes or None if known is not None else None


def speed(session: Session, device_name: str | None, spec: ResolvedPretrain) -> Speed | None:
    """How fast a training will be on such a device; None if none was trained there yet.

    By trainings of the same sort if there were some; else by how much arithmetic a second those of the same encoder got done, or
    those of any, if there were none of it.
    """
    if device_name is None:
        return None
    known = session.get(Measurement, _id(device_name, spec))
    if known is not None and known.seconds > 0:
        return Speed(known.samples / known.seconds, True, known.trainings)
    timed = select(Measurement).where(Measurement.device_name == device_name, Measurement.seconds > 0)
    others = list(session.scalars(timed.order_by(Measurement.measured_at.desc()).limit(_MOST_LOOKED_AT)))
    same = [one for one in others if one.encoder == spec.encoder.name]
    alike = [one for one in same if one.task == spec.task.name] or same or others
    if not alike:
        return None
    flops = median(one.flops * one.samples / one.seconds for one in alike)
    return Speed(flops / flops_of(spec), False, sum(one.trainings for one in alike))


def _id(device_name: str, spec: ResolvedPretrain) -> str:
    told = {
        "device": device_name,
        "encoder": spec.encoder.model_dump(),
        "task": spec.task.model_dump(),
        "sizes": [spec.image_size, spec.clip_frames, spec.batch_size],
        "precision": spec.precision,
        "optimizer": spec.optimizer.name,
        "follow_knn": spec.follow_knn,
    }
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
