"""Datasets, jobs, models, evaluations and embeddings that can do things: `job.wait()` is `pretext.jobs.wait(job.id)`.

They are the frozen values of `types` and stay so: what changes something gives another value back. Copied, pickled or made by hand,
a value has no client, and says so when it is asked to do something.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pretext_client import types
from pretext_client.errors import PretextError
from pretext_client.types.base import Owned

if TYPE_CHECKING:
    from pretext_client.client import Pretext
    from pretext_client.loading import Loaded

OnBytes = Callable[[int, int], None]


class Dataset(Owned, types.Dataset):
    """Uploaded images, and what became of them."""

    def refresh(self) -> "Dataset":
        """Read it anew."""
        return _client(self).datasets.get(self.id)

    def wait(self, *, timeout: float | None = None, on_progress: Callable[[types.Job], None] | None = None) -> "Dataset":
        """Wait until it is ready; as of `datasets.wait`.

        >>> dataset = pretext.datasets.upload("pictures/").wait()
        """
        return _client(self).datasets.wait(self.id, timeout=timeout, on_progress=on_progress)

    def train(
        self,
        task: str | Mapping[str, Any] | None = None,
        encoder: str | Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> "Job":
        """Queue a pretraining on it; as of `jobs.create`.

        >>> job = dataset.train("rotation", "resnet18", epochs=100)
        """
        return _client(self).jobs.create(self.id, task=task, encoder=encoder, **settings)

    def estimate(
        self,
        task: str | Mapping[str, Any] | None = None,
        encoder: str | Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> types.Estimate:
        """Memory and time that `train` would take, without starting it; as of `jobs.estimate`.

        >>> print(dataset.estimate("rotation", "resnet18").memory)
        """
        return _client(self).jobs.estimate(self.id, task=task, encoder=encoder, **settings)

    def report(self) -> types.Report:
        """What ingest found; as of `datasets.report`."""
        return _client(self).datasets.report(self.id)

    def samples(self) -> Iterator[types.Sample]:
        """Every image, in the order of the archive."""
        return _client(self).datasets.samples(self.id)

    def preview(self, task: str) -> bytes:
        """A picture of what a pretext task does to it; as of `datasets.preview`."""
        return _client(self).datasets.preview(self.id, task)

    def label(self, table: str | os.PathLike[str], *, merge: bool = False, dry_run: bool = False) -> types.Labelled:
        """Give its files labels by a table; as of `datasets.label`."""
        return _client(self).datasets.label(self.id, table, merge=merge, dry_run=dry_run)

    def delete(self) -> None:
        """Delete it and its images. Models that were trained on it stay."""
        _client(self).datasets.delete(self.id)


class Job(Owned, types.Job):
    """Something that takes time."""

    def refresh(self) -> "Job":
        """Read it anew."""
        return _client(self).jobs.get(self.id)

    def wait(
        self, *, timeout: float | None = None, on_progress: Callable[[types.Job], None] | None = None, check: bool = False
    ) -> "Job":
        """Wait until it has ended; as of `jobs.wait`.

        >>> job = dataset.train("rotation").wait(check=True, on_progress=lambda job: print(job.progress))
        """
        return _client(self).jobs.wait(self.id, timeout=timeout, on_progress=on_progress, check=check)

    def cancel(self) -> "Job":
        """Stop it for good."""
        return _client(self).jobs.cancel(self.id)

    def pause(self) -> "Job":
        """Stop it for now."""
        return _client(self).jobs.pause(self.id)

    def resume(self) -> "Job":
        """Let it go on where it was paused."""
        return _client(self).jobs.resume(self.id)

    def retry(self, *, from_start: bool = False, again: bool = False) -> "Job":
        """Do it again, if it has failed or was cancelled; as of `jobs.retry`."""
        return _client(self).jobs.retry(self.id, from_start=from_start, again=again)

    def checkpoints(self) -> tuple[types.Checkpoint, ...]:
        """The places that it can go on from, the oldest first."""
        return _client(self).jobs.checkpoints(self.id)

    def logs(self, *, lines: int | None = None, follow: bool = False) -> Iterator[str]:
        """What its process wrote, piece by piece; as of `jobs.logs`."""
        return _client(self).jobs.logs(self.id, lines=lines, follow=follow)

    def events(self, *, after: int = 0, follow: bool = False) -> Iterator[types.Event]:
        """What happened to it, in order; as of `jobs.events`."""
        return _client(self).jobs.events(self.id, after=after, follow=follow)

    def metrics(
        self, *, after: int | None = None, points: int | None = None, names: Sequence[str] | None = None
    ) -> Iterator[types.Metric]:
        """The figures of a training, in order of its steps; as of `jobs.metrics`."""
        return _client(self).jobs.metrics(self.id, after=after, points=points, names=names)

    def pictures(self) -> Iterator[types.Picture]:
        """What a training drew after each epoch, the oldest first."""
        return _client(self).jobs.pictures(self.id)

    def download_pictures(self, directory: str | os.PathLike[str], *, on_progress: OnBytes | None = None) -> tuple[Path, ...]:
        """Download every picture; as of `jobs.download_pictures`."""
        return _client(self).jobs.download_pictures(self.id, directory, on_progress=on_progress)

    def model(self) -> "Model":
        """The model that it made, evaluates, or embeds by.

        >>> network = job.model().load()

        Raises:
            PretextError: it has none, or not yet.
        """
        return _client(self).models.get(_made(self, "model", self.model_id))

    def evaluation(self) -> "Evaluation":
        """The evaluation that it made.

        Raises:
            PretextError: it has made none, or not yet.
        """
        return _client(self).evaluations.get(_made(self, "evaluation", self.evaluation_id))

    def embedding(self) -> "Embedding":
        """The embeddings that it made.

        Raises:
            PretextError: it has made none, or not yet.
        """
        return _client(self).embeddings.get(_made(self, "embedding", self.embedding_id))


class Model(Owned, types.Model):
    """A trained encoder."""

    def refresh(self) -> "Model":
        """Read it anew."""
        return _client(self).models.get(self.id)

    def download(
        self, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download every file of it; as of `models.download`.

        >>> paths = model.download("encoder/")
        """
        return _client(self).models.download(self.id, directory, force=force, on_progress=on_progress)

    def load(
        self,
        *,
        via: str = "auto",
        device: str = "cpu",
        cache: str | os.PathLike[str] | None = None,
        on_progress: OnBytes | None = None,
    ) -> "Loaded":
        """A torch module that gives its features; as of `models.load`.

        >>> network = model.load()
        >>> features = network(network.preprocess("cat.jpg").unsqueeze(0))
        """
        return _client(self).models.load(self.id, via=via, device=device, cache=cache, on_progress=on_progress)

    def embed(
        self, images: Iterable[str | os.PathLike[str] | bytes], *, stage: str | None = None, normalize: bool = False
    ) -> types.Embedded:
        """Embed a few images on the server, at once; as of `models.embed`.

        >>> vectors = model.embed(["cat.jpg", "dog.jpg"]).vectors
        """
        return _client(self).models.embed(self.id, images, stage=stage, normalize=normalize)

    def evaluate(self, dataset_id: str, *, protocols: Sequence[str | Mapping[str, Any]] | None = None, **settings: Any) -> "Job":
        """Queue an evaluation: how many labels does it save? As of `jobs.evaluate`."""
        return _client(self).jobs.evaluate(self.id, dataset_id, protocols=protocols, **settings)

    def export(self, *, stage: str | None = None, formats: Sequence[str] | None = None, **settings: Any) -> "Job":
        """Queue an export, which makes another model of it; as of `models.export`."""
        return _client(self).models.export(self.id, stage=stage, formats=formats, **settings)

    def delete(self) -> None:
        """Delete it and its files."""
        _client(self).models.delete(self.id)


class Evaluation(Owned, types.Evaluation):
    """What was found out of an encoder."""

    def refresh(self) -> "Evaluation":
        """Read it anew, with its whole report."""
        return _client(self).evaluations.get(self.id)

    def download(
        self, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download the report and its pictures; as of `evaluations.download`."""
        return _client(self).evaluations.download(self.id, directory, force=force, on_progress=on_progress)

    def delete(self) -> None:
        """Delete the report and its pictures. The model stays."""
        _client(self).evaluations.delete(self.id)


class Embedding(Owned, types.Embedding):
    """The embeddings of a whole dataset, in Parquet files."""

    def refresh(self) -> "Embedding":
        """Read it anew."""
        return _client(self).embeddings.get(self.id)

    def download(
        self, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download the Parquet files; as of `embeddings.download`."""
        return _client(self).embeddings.download(self.id, directory, force=force, on_progress=on_progress)

    def delete(self) -> None:
        """Delete the embeddings and their files."""
        _client(self).embeddings.delete(self.id)


def _client(value: Owned) -> "Pretext":
    """The client that a value came by."""
    owner: Pretext | None = value._owner  # noqa: SLF001  only these classes look at it
    if owner is None:
        raise PretextError("this value has no client, for it was copied, pickled or made by hand; read it anew by its id")
    return owner


def _made(job: types.Job, what: str, made: str | None) -> str:
    if made is None:
        told = "has made none" if job.ended else "has not ended; wait for it first: `job = job.wait()`"
        raise PretextError(f"{job.id} has no {what}: it is {job.state} and {told}")
    return made
