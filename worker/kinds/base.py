"""What every kind of job has to say."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from sqlalchemy.orm import Session

from records.blobs import Blobs, file_sha256
from records.database import Database
from records.models import Dataset, Job
from records.queries import events, models
from records.settings import Settings
from ssl_core.labels import LABELS


@dataclass(frozen=True)
class Workplace:
    """Where one attempt at a job works."""

    folder: Path
    """A folder of its own, removed afterwards."""
    database: Database
    """For what is written outside of the job's own transactions."""
    blobs: Blobs
    settings: Settings
    device: Literal["cpu", "cuda"]
    """What the worker can train on."""
    device_name: str | None = None
    """Model of it."""

    def make(self) -> None:
        """Make the folder, empty."""
        self.remove()
        self.folder.mkdir(parents=True)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def out(self) -> Path:
        """What the child makes goes here."""
        return self.folder / "out"

    def lay_out(self, dataset: Dataset, labels: str | None = None) -> list[str]:
        """Put a dataset where the child finds it, and give the arguments that tell it where everything is.

        `labels` is the key of labels that take the place of those in the shards.
        """
        data = self.lay_out_shards(dataset)
        if labels is not None:
            (data / LABELS).symlink_to(self.blobs.path(labels))
        settings = self.settings
        arguments = ["--data", str(data), "--out", str(self.out), "--checkpoint-seconds", str(settings.checkpoint_seconds)]
        return [*arguments, "--cache", str(settings.cache), "--cache-bytes", str(settings.cache_bytes), "--dataset-key", dataset.id]

    def lay_out_shards(self, dataset: Dataset) -> Path:
        """Put the shards of a dataset where the child finds them, and give their folder."""
        data = self.folder / "data"
        data.mkdir()
        for number, shard in enumerate(dataset.shards or []):
            (data / f"shard-{number:05}.parquet").symlink_to(self.blobs.path(shard["key"]))
        return data

    def lay_out_model(self, session: Session, model_id: str) -> Path:
        """Put a model's weights and configuration where the child finds them, and give their folder.

        Raises:
            NotFoundError: there is no such model.
        """
        return models.lay_out(session, self.blobs, model_id, self.folder / "model")

    def lay_out_checkpoints(self, session: Session, job: Job, name: str) -> None:
        """Put a job's checkpoints that are still there and whole where the child finds them. `name` has a place for the step."""
        folder = self.out / "checkpoints"
        folder.mkdir(parents=True)
        for checkpoint in job.checkpoints:
            try:
                source = self.blobs.path(checkpoint["key"])
                # Those of older versions have none.
                whole = checkpoint.get("sha256") in {None, file_sha256(source)}
            except OSError:
                trouble = "is gone from the store"
            else:
                if whole:
                    (folder / name.format(checkpoint["step"])).symlink_to(source)
                    continue
                trouble = "is damaged"
            told = f"the checkpoint of step {checkpoint['step']} {trouble}; the job goes on from the one before it"
            events.add(session, job.id, job.attempt, [("log", {"level": "warning", "message": told})])

    def stored(self, folder: Path, prefix: str) -> list[dict[str, Any]]:
        """Store the files of a folder as blobs; gives `{name, key, bytes, sha256}` of each."""
        files = []
        for path in sorted(folder.iterdir()):
            key = f"{prefix}/{path.name}"
            self.blobs.put(key, path.resolve())
            files.append({"name": path.name, "key": key, "bytes": path.stat().st_size, "sha256": file_sha256(path)})
        return files


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
