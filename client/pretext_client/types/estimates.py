"""What jobs would take, and the places that they can go on from."""

from dataclasses import dataclass, field
from datetime import datetime

from pretext_client.types.base import Json, Value


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate(Value):
    """Memory of a training at its peak, in bytes."""

    total_bytes: int
    known: str
    """`measured` or `computed`."""
    parameters_bytes: int = 0
    gradients_bytes: int = 0
    optimizer_bytes: int = 0
    activations_bytes: int = 0
    dataset_bytes: int = 0
    dataset_on_device: bool = False
    """Whether the dataset lies on the device whole."""
    process_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class TimeEstimate(Value):
    """Time of a training."""

    seconds: float
    known: str
    """`measured` or `computed`."""
    seconds_per_epoch: float | None = None
    samples_per_second: float | None = None
    """Images, or clips."""
    basis: str = ""
    """By what it is known."""


@dataclass(frozen=True, kw_only=True)
class DiskEstimate(Value):
    """Room on a worker's disk."""

    cache_bytes: int


@dataclass(frozen=True, kw_only=True)
class CapableWorkers(Value):
    """Workers, alike, that can run it as far as their device is concerned."""

    device: str
    needed_bytes: int
    count: int = 1
    device_name: str | None = None
    memory_bytes: int | None = None
    fits: bool | None = None
    """Whether it fits into their memory; None if nobody knows."""
    seconds: float | None = None
    """How long it takes there."""


@dataclass(frozen=True, kw_only=True)
class Estimate(Value):
    """What a job would take. Only trainings are estimated: of other kinds, all is None, and `note` says so."""

    kind: str
    spec: Json = field(default_factory=dict)
    """What it would do in full, every `auto` decided."""
    memory: MemoryEstimate | None = None
    time: TimeEstimate | None = None
    disk: DiskEstimate | None = None
    workers: tuple[CapableWorkers, ...] = ()
    """Those that are alive; the one that would be done first comes first."""
    largest_batch_size: int | None = None
    """The largest that fits."""
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Value):
    """A place that a job can go on from."""

    step: int
    attempt: int
    available: bool = True
    """Whether its bytes are still there."""
    bytes: int | None = None
    at: datetime | None = None
