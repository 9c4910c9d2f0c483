"""Jobs, and what they tell while they run."""

from dataclasses import dataclass, field
from datetime import datetime

from pretext_client.types.base import Json, Trouble, Value

KINDS = ("ingest", "pretrain", "evaluate", "embed", "export")
STATES = ("queued", "running", "pausing", "paused", "succeeded", "failed", "cancelling", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Verdict(Value):
    """How a training goes, judged by its figures alone."""

    state: str
    """`too_early`, `improving`, `plateau`, `at_chance` or `collapsed`."""
    sentence: str
    step: int = 0
    """The step from which on it is so."""


@dataclass(frozen=True, kw_only=True)
class Progress(Value):
    """How far a job is."""

    phase: str
    done: float | None = None
    """How much of the phase is done, in `unit`."""
    total: float | None = None
    """How much there is to do; None as long as nobody knows."""
    unit: str | None = None
    step: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    """In the pretext task, 0 to 1."""
    images_per_second: float | None = None
    clips_per_second: float | None = None
    eta_seconds: float | None = None
    verdict: Verdict | None = None
    """How a training goes."""


@dataclass(frozen=True, kw_only=True)
class Job(Value):
    """Something that takes time."""

    id: str
    kind: str
    """`ingest`, `pretrain`, `evaluate`, `embed` or `export`."""
    state: str
    """`queued`, `running`, `pausing`, `paused`, `succeeded`, `failed`, `cancelling` or `cancelled`."""
    created_at: datetime
    attempt: int = 0
    """How many times a worker has taken it up."""
    dataset_id: str | None = None
    priority: int = 0
    progress: Progress | None = None
    spec: Json = field(default_factory=dict)
    """What it does in full, every `auto` decided."""
    environment: Json | None = None
    """Device and package versions of the newest attempt."""
    model_id: str | None = None
    """The model that it made, evaluates, or embeds by."""
    evaluation_id: str | None = None
    """The evaluation that it made."""
    embedding_id: str | None = None
    """The embeddings that it made."""
    evaluate: Json | None = None
    """The evaluation that follows when it has succeeded; then with a `job_id`."""
    verdict: Verdict | None = None
    """How the training goes, or went."""
    error: Trouble | None = None
    worker_id: str | None = None
    retry_of: str | None = None
    """The job that it does again."""
    memory_bytes: int | None = None
    """Memory that it is estimated to take."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    metadata: Json = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it is over for good."""
        return self.state in {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True, kw_only=True)
class Event(Value):
    """Something that happened to a job."""

    type: str
    data: Json
    seq: int | None = None
    """Its number, from 1; None for progress, which is not kept."""
    at: datetime | None = None
    attempt: int | None = None


@dataclass(frozen=True, kw_only=True)
class Metric(Value):
    """Figures of a training step."""

    step: int
    epoch: int
    at: datetime
    values: Json
    """`loss`, `accuracy`, `learning_rate`, …"""


@dataclass(frozen=True, kw_only=True)
class Picture(Value):
    """What a training drew at the end of an epoch."""

    epoch: int
    """Pass over the dataset, from 1; 0 is before the training."""
    step: int
    bytes: int
    sha256: str
    """Of the file, in hexadecimal."""
    caption: str = ""
    """What there is to see, in a sentence."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    url: str | None = None
    """Where the file is, below the server's address."""
    format: str = "png"
    """`png`, or `webp` for one that moves."""
