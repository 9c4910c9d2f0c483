"""Jobs: everything that takes time."""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pretext_client import logs, pictures, sse
from pretext_client.bound import Job
from pretext_client.changes import Notes, change, narrowed
from pretext_client.errors import ConnectionFailed, JobFailed, PretextError, Unavailable, WaitTimedOut
from pretext_client.http import Call, Http
from pretext_client.types import Checkpoint, Estimate, Event, Metric, Picture
from pretext_client.types import Job as JobValue
from pretext_client.upload import OnBytes

_PATH = "/v1/jobs"
_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 60


class _Patience:
    """Bears a server that is away, for a while; starts anew whenever the server was there."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._away_since: float | None = None

    def restore(self) -> None:
        self._away_since = None

    def at_end(self) -> bool:
        """Whether the server has been away for too long, as of a failure that happened now."""
        now = time.monotonic()
        self._away_since = self._away_since or now
        return now - self._away_since > self._seconds


class Jobs:
    """Start trainings and evaluations, watch and cancel them."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        dataset_id: str,
        *,
        task: str | Mapping[str, Any] | None = None,
        encoder: str | Mapping[str, Any] | None = None,
        init_from: str | None = None,
        idempotency_key: str | None = None,
        **settings: Any,
    ) -> Job:
        """Queue a pretraining. The answer's `spec` shows what was decided for everything that was left open.

        >>> job = pretext.jobs.create(dataset.id, task="rotation", encoder="resnet18", epochs=100)
        >>> job = pretext.jobs.create(dataset.id, task={"name": "rotation", "rotations": "one"}, init_from=model.id, epochs=100)

        Args:
            dataset_id: the dataset to learn from; it must be ready.
            task: the pretext task's name, or an object with its settings: `{"name": "rotation", "rotations": "one"}`.
                Default: rotation, of clips if the dataset has videos.
            encoder: the encoder's name, or an object with its settings.
            init_from: id of a model whose weights the training begins with; `encoder` can be left out then.
            idempotency_key: of a request that was perhaps sent before, and shall be carried out once; default: a new one.
            settings: `epochs` or `steps`, `batch_size`, `image_size`, `optimizer`, `precision`, `device`, `seed`, `priority`,
                `metadata`, `evaluate` (what to evaluate the encoder by afterwards, `{}` for everything by default); the server's
                /docs describe them.

        Raises:
            InvalidRequest: a setting does not exist or is impossible; `param` names it.
            NotFound: there is no such dataset, or no such model.
            Conflict: the dataset is not ready.
        """
        request = self._pretraining(dataset_id, task, encoder, init_from, settings)
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._http.value(Call("POST", _PATH, headers=headers, json=request), Job)

    def estimate(
        self,
        dataset_id: str,
        *,
        task: str | Mapping[str, Any] | None = None,
        encoder: str | Mapping[str, Any] | None = None,
        init_from: str | None = None,
        **settings: Any,
    ) -> Estimate:
        """Memory and time that a pretraining would take, and which workers can run it. Takes what `create` takes; makes nothing.

        >>> estimate = pretext.jobs.estimate(dataset.id, encoder="resnet18", batch_size=512)
        >>> print(estimate.memory.total_bytes, estimate.time.seconds)

        Raises:
            InvalidRequest: a setting does not exist or is impossible; `param` names it.
            NotFound: there is no such dataset, or no such model.
            Conflict: the dataset is not ready.
        """
        request = self._pretraining(dataset_id, task, encoder, init_from, settings)
        return self._http.value(Call("POST", f"{_PATH}/estimate", json=request), Estimate)

    def _pretraining(
        self,
        dataset_id: str,
        task: str | Mapping[str, Any] | None,
        encoder: str | Mapping[str, Any] | None,
        init_from: str | None,
        settings: Mapping[str, Any],
    ) -> dict[str, Any]:
        if task is None:
            dataset = self._http.json(Call("GET", f"/v1/datasets/{quote(dataset_id, safe='')}"))
            task = "video_rotation" if dataset.get("kind") == "video" else "rotation"
        request: dict[str, Any] = {"kind": "pretrain", "dataset_id": dataset_id, "task": _named(task), **settings}
        if encoder is not None:
            request["encoder"] = _named(encoder)
        if init_from is not None:
            request["init_from"] = init_from
        return request

    def evaluate(
        self,
        model_id: str,
        dataset_id: str,
        *,
        protocols: Sequence[str | Mapping[str, Any]] | None = None,
        references: Sequence[str] | None = None,
        idempotency_key: str | None = None,
        **settings: Any,
    ) -> Job:
        """Queue an evaluation: how many labels does an encoder save? Read it by `evaluations.get(job.evaluation_id)` at its end.

        >>> job = pretext.jobs.evaluate(model.id, labelled.id, protocols=["knn", "linear"])

        Args:
            model_id: the model.
            dataset_id: a dataset with labels; it must be ready.
            protocols: what to measure: `knn`, `linear`, `retrieval`, `fine_tune`, `label_efficiency`, `robustness`, or objects with
                settings: `{"name": "label_efficiency", "labels_per_class": [5, 20, 100]}`. Default: all but `fine_tune` and
                `robustness`.
            references: ids of at most three other models, to measure beside.
            idempotency_key: of a request that was perhaps sent before, and shall be carried out once; default: a new one.
            settings: `test_share`, `duplicates`, `device`, `seed`, `priority`, `metadata`; the server's /docs describe them.

        Raises:
            InvalidRequest: a setting is impossible, or the dataset has no labels; `param` names it.
            NotFound: there is no such model, or no such dataset.
            Conflict: the dataset is not ready.
        """
        request: dict[str, Any] = {"kind": "evaluate", "model_id": model_id, "dataset_id": dataset_id, **settings}
        if protocols is not None:
            request["protocols"] = [_named(protocol) for protocol in protocols]
        if references:
            request["references"] = list(references)
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._http.value(Call("POST", _PATH, headers=headers, json=request), Job)

    def embed(
        self,
        model_id: str,
        dataset_id: str,
        *,
        stage: str | None = None,
        normalize: bool = False,
        idempotency_key: str | None = None,
        **settings: Any,
    ) -> Job:
        """Queue the embedding of a whole dataset. Download it by `embeddings.download(job.embedding_id, …)` at its end.

        >>> job = pretext.jobs.embed(model.id, dataset.id, normalize=True)

        Args:
            model_id: the model.
            dataset_id: the dataset; it must be ready.
            stage: after which stage of the encoder, such as `layer3`. Default: its own features.
            normalize: scale each embedding to length 1.
            idempotency_key: of a request that was perhaps sent before, and shall be carried out once; default: a new one.
            settings: `batch_size`, `device`, `priority`, `metadata`; the server's /docs describe them.

        Raises:
            InvalidRequest: a setting is impossible, or the encoder is not of what the dataset has; `param` names it.
            NotFound: there is no such model, or no such dataset.
            Conflict: the dataset is not ready.
        """
        request: dict[str, Any] = {"kind": "embed", "model_id": model_id, "dataset_id": dataset_id, **settings}
        request |= {"stage": stage, "normalize": normalize}
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._http.value(Call("POST", _PATH, headers=headers, json=request), Job)

    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        task: str | None = None,
        dataset_id: str | None = None,
        model_id: str | None = None,
        metadata: Notes | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """All jobs, the newest first; pages are fetched as needed. `after` is the id of one that the list goes on behind.

        >>> for job in pretext.jobs.list(state="succeeded", kind="pretrain", limit=10):
        ...     print(job.id, job.model_id)
        """
        given = {"state": state, "kind": kind, "task": task, "dataset_id": dataset_id, "model_id": model_id, "after": after}
        wanted = narrowed(metadata, **given)
        return self._http.some(_PATH, wanted, Job, lambda job: job.id, limit)

    def get(self, job_id: str) -> Job:
        """Read a job."""
        return self._http.value(Call("GET", _path(job_id)), Job)

    def update(self, job_id: str, *, if_match: str | None = None, **changes: Any) -> Job:
        """Change its `metadata`, or its `priority` while it waits; what is left out stays.

        Of `metadata`, other keys stay, and a key with None is deleted.

        Args:
            job_id: the job.
            if_match: what `etag` gave; nothing is changed if it was changed since then by somebody else (status 412).
            changes: what shall be different.
        """
        return self._http.value(change(_path(job_id), changes, if_match), Job)

    def etag(self, job_id: str) -> str:
        """The version of a job, for `update`. Read it before the job itself."""
        return self._http.headers(Call("GET", _path(job_id)))["ETag"]

    def cancel(self, job_id: str) -> Job:
        """Stop a job for good. One that runs is `cancelling` until its process has ended.

        Raises:
            Conflict: it has ended already.
        """
        return self._http.value(Call("POST", f"{_path(job_id)}/cancel"), Job)

    def pause(self, job_id: str) -> Job:
        """Stop a job for now. One that runs is `pausing` until it has written its checkpoint.

        Raises:
            Conflict: it has ended already.
        """
        return self._http.value(Call("POST", f"{_path(job_id)}/pause"), Job)

    def resume(self, job_id: str) -> Job:
        """Let a paused job go on where it was.

        Raises:
            Conflict: it has ended, or is still being paused.
        """
        return self._http.value(Call("POST", f"{_path(job_id)}/resume"), Job)

    def retry(self, job_id: str, *, from_start: bool = False, again: bool = False, idempotency_key: str | None = None) -> Job:
        """Do a job again that has failed or was cancelled: a new job, which goes on from the last checkpoint that is still there.

        Args:
            job_id: the job.
            from_start: begin anew, even if there is a checkpoint.
            again: make another retry, even if the job was retried before. Else a retry that has not ended is the answer.
            idempotency_key: of a request that was perhaps sent before, and shall be carried out once; default: a new one.

        Raises:
            Conflict: it is in another state, was retried already, or what it needs was deleted.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        asked = {"from_start": from_start, "again": again}
        return self._http.value(Call("POST", f"{_path(job_id)}/retry", headers=headers, json=asked), Job)

    def checkpoints(self, job_id: str) -> tuple[Checkpoint, ...]:
        """The places that a job can go on from, the oldest first."""
        page = self._http.json(Call("GET", f"{_path(job_id)}/checkpoints"))
        return tuple(Checkpoint.of(one) for one in page["data"])

    def logs(
        self, job_id: str, *, lines: int | None = None, follow: bool = False, patience: float = _PATIENCE_SECONDS
    ) -> Iterator[str]:
        """What a job's process wrote, and its messages, piece by piece.

        >>> for text in pretext.jobs.logs(job.id, lines=100):
        ...     print(text, end="")

        Args:
            job_id: the job.
            lines: begin with the last so many lines; None: with the oldest that is kept.
            follow: go on with what comes, until the job has ended.
            patience: seconds for which the server may be away meanwhile.

        Raises:
            NotFound: there is no such job.
            ConnectionFailed: the server was away for longer.
        """
        patient = _Patience(patience)
        after: int | None = None
        while True:
            try:
                ended = not follow or self.get(job_id).ended  # asked first: what is read afterwards is all of it
                part = logs.read(self._http, _path(job_id), after=after or 0, lines=lines if after is None else None)
                patient.restore()
            except (ConnectionFailed, Unavailable):
                if not follow or patient.at_end():
                    raise
            else:
                yield from part.pieces(part.start if after is None and lines is not None else after or 0)
                after = part.end
                if ended:
                    return
            self._http.sleep(_POLL_SECONDS)

    def metrics(
        self, job_id: str, *, after: int | None = None, points: int | None = None, names: Sequence[str] | None = None
    ) -> Iterator[Metric]:
        """The figures of a training, in order of its steps.

        >>> losses = [metric.values["loss"] for metric in pretext.jobs.metrics(job.id, points=200, names=["loss"])]

        Args:
            job_id: the job.
            after: the last step that was seen; with `points`, those of later steps.
            points: most points of each figure, at least 4; its extremes, first and last are among them. None: all.
            names: of the figures, such as `loss`. None: all.
        """
        if points is not None or names is not None:
            return self._sampled(job_id, after, points, names)
        return self._http.pages(f"{_path(job_id)}/metrics", {"limit": 1000, "after": after}, Metric, lambda metric: metric.step)

    def _sampled(self, job_id: str, after: int | None, points: int | None, names: Sequence[str] | None) -> Iterator[Metric]:
        asked = {"limit": 1000, "after": after, "points": points, "name": tuple(names) if names is not None else None}
        return self._http.pages(f"{_path(job_id)}/metrics", asked, Metric, lambda metric: metric.step)

    def pictures(self, job_id: str, *, after: int | None = None, limit: int | None = None) -> Iterator[Picture]:
        """What a training drew before it began and at the end of each epoch, the oldest first; `after` is the last epoch seen."""
        return pictures.listed(self._http, job_id, after=after, limit=limit)

    def picture(self, job_id: str, epoch: int | None = None) -> bytes:
        """The file of an epoch, PNG or, of clips, animated WebP; None: of the newest.

        Raises:
            NotFound: there is no such job, or no such picture.
        """
        return pictures.content(self._http, job_id, epoch)

    def download_pictures(
        self, job_id: str, directory: str | os.PathLike[str], *, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download every picture of a training, as `epoch-000003.png` and so on, or `.webp` of clips.

        >>> paths = pretext.jobs.download_pictures(job.id, "pictures-of-it/")

        A file appears under its name once it is whole and its SHA-256 is right. What is there already is not fetched again, so the
        folder of a running job can be brought up to date time and again. A file of the same name and other content is overwritten:
        an attempt that goes on from a checkpoint may draw an epoch anew.

        Args:
            job_id: the job.
            directory: folder to put the files in; made if it is missing.
            on_progress: is called with the bytes that are there, and the bytes in all.

        Raises:
            TransferFailed: the bytes that came are wrong.
            ConnectionFailed: the server cannot be reached.
        """
        return pictures.download(self._http, job_id, directory, on_progress)

    def events(
        self,
        job_id: str,
        *,
        after: int = 0,
        follow: bool = False,
        patience: float = _PATIENCE_SECONDS,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Event]:
        """What happened to a job, in order.

        >>> for event in pretext.jobs.events(job.id, follow=True):
        ...     print(event.type, event.data)

        Args:
            job_id: the job.
            after: number of the last event that was seen.
            follow: go on with what happens, and with progress (without a number), until the job has ended. A connection that breaks
                is made again, and no event is lost or seen twice.
            patience: seconds for which the server may be away meanwhile.
            stop: is asked now and then, at least when the server says after some seconds of silence that it is still there: whether
                to follow no longer.

        Raises:
            ConnectionFailed: the server was away for longer.
        """
        if follow:
            return self._follow(job_id, after, patience, stop)
        return self._http.pages(f"{_path(job_id)}/events", {"after": after}, Event, lambda event: event.seq or 0)

    def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[JobValue], None] | None = None,
        check: bool = False,
        patience: float = _PATIENCE_SECONDS,
    ) -> Job:
        """Wait until a job has ended.

        >>> job = pretext.jobs.wait(job.id, check=True, on_progress=lambda job: print(job.progress))

        Args:
            job_id: the job.
            timeout: seconds to wait at most; None: as long as it takes.
            on_progress: is called with the job whenever it has changed.
            check: raise if the job has not succeeded.
            patience: seconds for which the server may be away meanwhile.

        Raises:
            WaitTimedOut: the time is up; the job goes on.
            ConnectionFailed: the server was away for longer than `patience`.
            JobFailed: the job has ended without success, and `check` is set.
        """
        until = None if timeout is None else time.monotonic() + timeout
        patient = _Patience(patience)
        shown: Job | None = None
        while True:
            try:
                job = self.get(job_id)
                patient.restore()
            except (ConnectionFailed, Unavailable):
                if patient.at_end():
                    raise
            else:
                if on_progress is not None and job != shown:
                    on_progress(job)
                    shown = job
                if job.ended:
                    return _checked(job) if check else job
            if until is not None and time.monotonic() + _POLL_SECONDS > until:
                raise WaitTimedOut(f"{job_id} has not ended within {timeout:g} s; it goes on at the server")
            self._http.sleep(_POLL_SECONDS)

    def _follow(self, job_id: str, after: int, patience: float, stop: Callable[[], bool]) -> Iterator[Event]:
        """Read the stream of events; open it anew where it breaks off before the job's end."""
        patient = _Patience(patience)
        while not stop():
            try:
                for event in self._stream(job_id, after, stop):
                    patient.restore()
                    after = event.seq or after
                    yield event
                if self.get(job_id).ended:
                    return
            except (ConnectionFailed, Unavailable):
                if patient.at_end():
                    raise
            self._http.sleep(_POLL_SECONDS)

    def _stream(self, job_id: str, after: int, stop: Callable[[], bool]) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        with self._http.stream(Call("GET", f"{_path(job_id)}/events", headers=headers)) as response:
            reader = sse.Reader()
            for chunk in response.iter_bytes():
                if stop():
                    return
                for message in reader.feed(chunk):
                    yield _event(message)


def _checked(job: Job) -> Job:
    if job.state != "succeeded":
        raise JobFailed(f"{job.id} {job.state}: {job.error.message}" if job.error else f"{job.id} was {job.state}")
    return job


def _event(message: sse.Message) -> Event:
    """An event of the stream: progress comes bare, everything else as it is in the list of events."""
    try:
        data = json.loads(message.data)
    except ValueError as error:
        raise PretextError("the server sent an event that is no JSON; is there a Pretext Server at this address?") from error
    if message.id is None:
        return Event(type=message.type, data=data, raw={"type": message.type, "data": data})
    return Event.of(data)


def _named(choice: str | Mapping[str, Any]) -> dict[str, Any]:
    return {"name": choice} if isinstance(choice, str) else dict(choice)


def _path(job_id: str) -> str:
    return f"{_PATH}/{quote(job_id, safe='')}"
