"""What a training will take, before it begins: from its encoder and task, and from what trainings on the workers' devices took."""

import re
from collections import Counter
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.jobs.estimate_schemas import CapableWorkers, DiskOut, Known, MemoryOut, TimeOut
from records.errors import MemoryShortError
from records.models import Worker
from records.queries import measurements, workers
from ssl_core.spec import DatasetFacts, ResolvedPretrain
from ssl_core.spec.costs import Memory, activations_of, dataset_bytes, memory_of, samples_of, sort_of

_CPU_THREAD_FLOPS, _GPU_FLOPS = 12e9, 2e13
"""Arithmetic a second of a device that nothing was trained on yet: so wide a guess that it is told to be one."""
_USUAL_THREADS = 4
_MOST_OFF = 1.5
"""By how much an estimate of memory may be too high: a job is refused only where even that much less is too much."""
_THREADS = re.compile(r", (\d+) threads$")


@dataclass(frozen=True)
class OnDevice:
    """What a training takes on one sort of device."""

    worker: Worker | None
    """One of those that have it; None: nobody knows what it will run on."""
    count: int
    spec: ResolvedPretrain
    parts: Memory
    measured_bytes: int | None
    """What such trainings took there, with this dataset; None if there was none."""
    speed: measurements.Speed
    guessed: bool
    """Whether nothing was trained on such a device yet."""

    @property
    def needed(self) -> int:
        """Memory, in bytes."""
        return self.measured_bytes or self.parts.total

    @property
    def seconds(self) -> float:
        """Time in all."""
        return self.spec.steps * self.spec.batch_size / self.speed.samples_per_second

    @property
    def fits(self) -> bool | None:
        """Whether there is memory for it; None if nobody knows."""
        if self.worker is None or self.worker.memory_bytes is None:
            return None
        return self.needed <= self.worker.memory_bytes

    @property
    def hopeless(self) -> bool:
        """Whether it cannot run even if the estimate is far too high. A dataset that a CPU maps leaves when others need room."""
        if self.worker is None or self.worker.memory_bytes is None:
            return False
        mapped = self.parts.dataset if self.spec.device != "cuda" else 0
        return (self.needed - mapped) / _MOST_OFF > self.worker.memory_bytes

    @property
    def largest_batch(self) -> int | None:
        """The largest batch that fits; None if nobody knows, 0 if none does."""
        if self.worker is None or self.worker.memory_bytes is None:
            return None
        each = max(1.0, activations_of(self.spec))
        fixed = self.needed - each * self.spec.batch_size
        return max(0, int((self.worker.memory_bytes - fixed) / each))

    @property
    def time_known(self) -> Known:
        """How the time is known."""
        return "measured" if self.speed.measured else "computed"


@dataclass(frozen=True)
class Estimate:
    """What a training takes, on each sort of device that could run it; the one that is done first comes first."""

    facts: DatasetFacts
    on: list[OnDevice]

    @property
    def best(self) -> OnDevice:
        """Where it is done first."""
        return self.on[0]

    def memory(self) -> MemoryOut:
        """Memory on the best device."""
        best, parts = self.best, self.best.parts
        return MemoryOut(
            total_bytes=best.needed,
            parameters_bytes=parts.parameters,
            gradients_bytes=parts.gradients,
            optimizer_bytes=parts.optimizer,
            activations_bytes=parts.activations,
            dataset_bytes=parts.dataset,
            dataset_on_device=parts.dataset > 0,
            process_bytes=parts.process,
            known="computed" if best.measured_bytes is None else "measured",
        )

    def time(self) -> TimeOut:
        """Time on the best device."""
        best = self.best
        return TimeOut(
            seconds=best.seconds,
            seconds_per_epoch=best.seconds / (best.spec.steps / self._per_epoch()),
            samples_per_second=best.speed.samples_per_second,
            known=best.time_known,
            basis=_basis(best),
        )

    def disk(self) -> DiskOut:
        """Room in the cache."""
        return DiskOut(cache_bytes=dataset_bytes(self.best.spec, self.facts))

    def workers(self) -> list[CapableWorkers]:
        """Who can run it."""
        return [
            CapableWorkers(
                device="cuda" if one.worker.device == "cuda" else "cpu",
                device_name=one.worker.device_name,
                count=one.count,
                memory_bytes=one.worker.memory_bytes,
                needed_bytes=one.needed,
                fits=one.fits,
                seconds=one.seconds,
                known=one.time_known,
            )
            for one in self.on
            if one.worker is not None
        ]

    def largest_batch(self) -> int | None:
        """The largest batch that fits on some worker, and is not larger than the dataset."""
        found = [batch for one in self.on if (batch := one.largest_batch) is not None]
        largest = min(max(found, default=0), self._samples())
        return largest if largest >= 2 else None

    def check(self) -> None:
        """See whether some worker has the memory.

        Raises:
            MemoryShortError: those that are alive all have much less.
        """
        if not all(one.hopeless for one in self.on):
            return
        largest = max(self.on, key=lambda one: (one.worker.memory_bytes or 0) if one.worker is not None else 0)
        assert largest.worker is not None
        spec, has = largest.spec, largest.worker.memory_bytes or 0
        batch = self.largest_batch()
        fits = (
            f"a `batch_size` of up to {batch:,} fits by the same estimate"
            if batch is not None
            else "not even two samples fit; choose a smaller `image_size` or encoder"
        )
        raise MemoryShortError(
            f"it would take about {_gigabytes(largest.needed)} of memory ({spec.encoder.name}, {spec.task.name}, `batch_size` "
            f"{spec.batch_size:,}, `image_size` {spec.image_size}), and the largest worker that is alive has {_gigabytes(has)} "
            f"({largest.worker.device_name or largest.worker.device}); {fits}. Estimates err: `check_memory: false` tries it",
            param="batch_size",
        )

    def _per_epoch(self) -> float:
        return max(1, self._samples() // self.best.spec.batch_size)

    def _samples(self) -> int:
        return samples_of(self.best.spec, self.facts)


def estimate(session: Session, spec: ResolvedPretrain, facts: DatasetFacts) -> Estimate:
    """What a training takes on each sort of worker that is alive and could run it; or at all, if there is none."""
    able = [one for one in workers.training(session) if spec.device in {"auto", one.device}]
    alike = Counter((one.device, one.device_name, one.memory_bytes) for one in able)
    first = {(one.device, one.device_name, one.memory_bytes): one for one in able}
    found = [_on(session, spec, facts, first[sort], count) for sort, count in alike.items()]
    if not found:
        return Estimate(facts, [_on(session, spec, facts, None, 0)])
    return Estimate(facts, sorted(found, key=lambda one: (one.fits is False, one.seconds)))


def _on(session: Session, spec: ResolvedPretrain, facts: DatasetFacts, worker: Worker | None, count: int) -> OnDevice:
    spec = spec.on_device("cuda" if worker is not None and worker.device == "cuda" else "cpu")
    name = worker.device_name if worker is not None else None
    parts = memory_of(spec, facts, worker.memory_bytes if worker is not None else None)
    sort = sort_of(spec)
    own = measurements.memory(session, name, sort)
    # What a GPU's process takes of it besides tensors is not among what PyTorch counts.
    outside = parts.process if spec.device == "cuda" else 0
    known = measurements.speed(session, name, sort)
    return OnDevice(
        worker=worker,
        count=count,
        spec=spec,
        parts=parts,
        measured_bytes=None if own is None else own + parts.dataset + outside,
        speed=known or measurements.Speed(_guess(spec, name) / sort.flops, measured=False, trainings=0),
        guessed=known is None,
    )


def _guess(spec: ResolvedPretrain, device_name: str | None) -> float:
    if spec.device == "cuda":
        return _GPU_FLOPS
    threads = _THREADS.search(device_name or "")
    return _CPU_THREAD_FLOPS * (int(threads[1]) if threads else _USUAL_THREADS)


def _basis(best: OnDevice) -> str:
    times = f"{best.speed.trainings:,} training{'s' if best.speed.trainings != 1 else ''}"
    if best.guessed:
        return "nothing was trained on such a device yet: from the arithmetic of the network and what such devices usually do"
    return (
        f"{times} of this sort on this device"
        if best.speed.measured
        else f"from the speed of {times} of other sorts on this device"
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
