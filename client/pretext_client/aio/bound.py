"""The same as `bound.py` for `await`. Made by client/make_async: change that file, and run it."""

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pretext_client import types
from pretext_client.bound import OnBytes, _made
from pretext_client.errors import PretextError
from pretext_client.types.base import Owned

if TYPE_CHECKING:
    from pretext_client.aio.client import AsyncPretext
    from pretext_client.loading import Loaded


class AsyncDataset(Owned, types.Dataset):
    """Uploaded images, and what became of them."""

    async def refresh(self) -> "AsyncDataset":
        """Read it anew."""
        return await _client(self).datasets.get(self.id)

    async def wait(self, *, timeout: float | None = None, on_progress: Callable[[types.Job], None] | None = None) -> "AsyncDataset":
        """Wait until it is ready; as of `datasets.wait`.

        >>> dataset = await (await pretext.datasets.upload("pictures/")).wait()
        """
        return await _client(self).datasets.wait(self.id, timeout=timeout, on_progress=on_progress)

    async def train(
        self,
        task: str | Mapping[str, Any] | None = None,
        encoder: str | Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> "AsyncJob":
        """Queue a pretraining on it; as of `jobs.create`.

        >>> job = await dataset.train("rotation", "resnet18", epochs=100)
        """
        return await _client(self).jobs.create(self.id, task=task, encoder=encoder, **settings)

    async def estimate(
        self,
        task: str | Mapping[str, Any] | None = None,
        encoder: str | Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> types.Estimate:
        """Memory and time that `train` would take, without starting it; as of `jobs.estimate`.

        >>> print((await dataset.estimate("rotation", "resnet18")).memory)
        """
        return await _client(self).jobs.estimate(self.id, task=task, encoder=encoder, **settings)

    async def report(self) -> types.Report:
        """What ingest found; as of `datasets.report`."""
        return await _client(self).datasets.report(self.id)

    def samples(self) -> AsyncIterator[types.Sample]:
        """Every image, in the order of the archive."""
        return _client(self).datasets.samples(self.id)

    async def preview(self, task: str) -> bytes:
        """A picture of what a pretext task does to it; as of `datasets.preview`."""
        return await _client(self).datasets.preview(self.id, task)

    async def label(self, table: str | os.PathLike[str], *, merge: bool = False, dry_run: bool = False) -> types.Labelled:
        """Give its files labels by a table; as of `datasets.label`."""
        return await _client(self).datasets.label(self.id, table, merge=merge, dry_run=dry_run)

    async def delete(self) -> None:
        """Delete it and its images. Models that were trained on it stay."""
        await _client(self).datasets.delete(self.id)


class AsyncJob(Owned, types.Job):
    """Something that takes time."""

    async def refresh(self) -> "AsyncJob":
        """Read it anew."""
        return await _client(self).jobs.get(self.id)

    async def wait(
        self, *, timeout: float | None = None, on_progress: Callable[[types.Job], None] | None = None, check: bool = False
    ) -> "AsyncJob":
        """Wait until it has ended; as of `jobs.wait`.

        >>> job = await (await dataset.train("rotation")).wait(check=True, on_progress=lambda job: print(job.progress))
        """
        return await _client(self).jobs.wait(self.id, timeout=timeout, on_progress=on_progress, check=check)

    async def cancel(self) -> "AsyncJob":
        """Stop it for good."""
        return await _client(self).jobs.cancel(self.id)

    async def pause(self) -> "AsyncJob":
        """Stop it for now."""
        return await _client(self).jobs.pause(self.id)

    async def resume(self) -> "AsyncJob":
        """Let it go on where it was paused."""
        return await _client(self).jobs.resume(self.id)

    async def retry(self, *, from_start: bool = False, again: bool = False) -> "AsyncJob":
        """Do it again, if it has failed or was cancelled; as of `jobs.retry`."""
        return await _client(self).jobs.retry(self.id, from_start=from_start, again=again)

    async def checkpoints(self) -> tuple[types.Checkpoint, ...]:
        """The places that it can go on from, the oldest first."""
        return await _client(self).jobs.checkpoints(self.id)

    def logs(self, *, lines: int | None = None, follow: bool = False) -> AsyncIterator[str]:
        """What its process wrote, piece by piece; as of `jobs.logs`."""
        return _client(self).jobs.logs(self.id, lines=lines, follow=follow)

    def events(self, *, after: int = 0, follow: bool = False) -> AsyncIterator[types.Event]:
        """What happened to it, in order; as of `jobs.events`."""
        return _client(self).jobs.events(self.id, after=after, follow=follow)

    def metrics(
        self, *, after: int | None = None, points: int | None = None, names: Sequence[str] | None = None
    ) -> AsyncIterator[types.Metric]:
        """The figures of a training, in order of its steps; as of `jobs.metrics`."""
        return _client(self).jobs.metrics(self.id, after=after, points=points, names=names)

    def pictures(self) -> AsyncIterator[types.Picture]:
        """What a training drew after each epoch, the oldest first."""
        return _client(self).jobs.pictures(self.id)

    async def download_pictures(self, directory: str | os.PathLike[str], *, on_progress: OnBytes | None = None) -> tuple[Path, ...]:
        """Download every picture; as of `jobs.download_pictures`."""
        return await _client(self).jobs.download_pictures(self.id, directory, on_progress=on_progress)

    async def model(self) -> "AsyncModel":
        """The model that it made, evaluates, or embeds by.

        >>> network = await (await job.model()).load()

        Raises:
            PretextError: it has none, or not yet.
        """
        return await _client(self).models.get(_made(self, "model", self.model_id))

    async def evaluation(self) -> "AsyncEvaluation":
        """The evaluation that it made.

        Raises:
            PretextError: it has made none, or not yet.
        """
        return await _client(self).evaluations.get(_made(self, "evaluation", self.evaluation_id))

    async def embedding(self) -> "AsyncEmbedding":
        """The embeddings that it made.

        Raises:
            PretextError: it has made none, or not yet.
        """
        return await _client(self).embeddings.get(_made(self, "embedding", self.embedding_id))


class AsyncModel(Owned, types.Model):
    """A trained encoder."""

    async def refresh(self) -> "AsyncModel":
        """Read it anew."""
        return await _client(self).models.get(self.id)

    async def download(
        self, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download every file of it; as of `models.download`.

        >>> paths = await model.download("encoder/")
        """
        return await _client(self).models.download(self.id, directory, force=force, on_progress=on_progress)

    async def load(
        self,
        *,
        via: str = "auto",
        device: str = "cpu",
        cache: str | os.PathLike[str] | None = None,
        on_progress: OnBytes | None = None,
    ) -> "Loaded":
        """A torch module that gives its features; as of `models.load`.

        >>> network = await model.load()
        >>> features = network(network.preprocess("cat.jpg").unsqueeze(0))
        """
        return await _client(self).models.load(self.id, via=via, device=device, cache=cache, on_progress=on_progress)

    async def embed(
        self, images: Iterable[str | os.PathLike[str] | bytes], *, stage: str | None = None, normalize: bool = False
    ) -> types.Embedded:
        """Embed a few images on the server, at once; as of `models.embed`.

        >>> vectors = (await model.embed(["cat.jpg", "dog.jpg"])).vectors
        """
        return await _client(self).models.embed(self.id, images, stage=stage, normalize=normalize)

    async def evaluate(
        self, dataset_id: str, *, protocols: Sequence[str | Mapping[str, Any]] | None = None, **settings: Any
    ) -> "AsyncJob":
        """Queue an evaluation: how many labels does it save? As of `jobs.evaluate`."""
        return await _client(self).jobs.evaluate(self.id, dataset_id, protocols=protocols, **settings)

    async def export(self, *, stage: str | None = None, formats: Sequence[str] | None = None, **settings: Any) -> "AsyncJob":
        """Queue an export, which makes another model of it; as of `models.export`."""
        return await _client(self).models.export(self.id, stage=stage, formats=formats, **settings)

    async def delete(self) -> None:
        """Delete it and its files."""
        await _client(self).models.delete(self.id)


class AsyncEvaluation(Owned, types.Evaluation):
    """What was found out of an encoder."""

    async def refresh(self) -> "AsyncEvaluation":
        """Read it anew, with its whole report."""
        return await _client(self).evaluations.get(self.id)

    async def download(
        self, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download the report and its pictures; as of `evaluations.download`."""
        return await _client(self).evaluations.download(self.id, directory, force=force, on_progress=on_progress)

    async def delete(self) -> None:
        """Delete the report and its pictures. The model stays."""
        await _client(self).evaluations.delete(self.id)


class AsyncEmbedding(Owned, types.Embedding):
    """The embeddings of a whole dataset, in Parquet files."""

    async def refresh(self) -> "AsyncEmbedding":
        """Read it anew."""
        return await _client(self).embeddings.get(self.id)

    async def download(
        self, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download the Parquet files; as of `embeddings.download`."""
        return await _client(self).embeddings.download(self.id, directory, force=force, on_progress=on_progress)

    async def delete(self) -> None:
        """Delete the embeddings and their files."""
        await _client(self).embeddings.delete(self.id)


def _client(value: Owned) -> "AsyncPretext":
    """The client that a value came by."""
    owner: AsyncPretext | None = value._owner  # noqa: SLF001  only these classes look at it
    if owner is None:
        raise PretextError("this value has no client, for it was copied, pickled or made by hand; read it anew by its id")
    return owner
