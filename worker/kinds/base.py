"""What every kind of job has to say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from sqlalchemy.orm import Session

from records.blobs import Blobs
from records.models import Job
from records.settings import Settings


@dataclass(frozen=True)
class Workplace:
    """Where one attempt at a job works."""

    folder: Path
    """A folder of its own, removed afterwards."""
    blobs: Blobs
    settings: Settings
    device: Literal["cpu", "cuda"]
    """What the worker can train on."""

    @property
    def out(self) -> Path:
        """What the child makes goes here."""
        return self.folder / "out"


class Kind(Protocol):
    """One kind of job. An object of it goes through one attempt."""

    lane: ClassVar[str]
    """Which of a worker's slots it takes."""

    def prepare(self, session: Session, job: Job, place: Workplace) -> list[str]:
        """Lay out what the child needs and give its command line. In the transaction that claimed the job; may change the job.

        Raises:
            UserError: it cannot be done, ever.
        """

    def store(self, place: Workplace) -> None:
        """Move what the child made into the blob store. Nothing refers to it yet."""

    def publish(self, session: Session, job: Job, result: dict[str, Any]) -> None:
        """Make it public. In the transaction that ends the job, so it happens once or not at all."""

    def discard(self, place: Workplace) -> None:
        """Delete what `store` stored, because the attempt lost its job before it could publish."""

    def on_end(self, session: Session, job: Job, error: dict[str, Any] | None) -> None:
        """The job has ended without a result: tell those who wait for one."""
