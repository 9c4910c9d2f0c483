"""Datasets: uploads of images."""

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pretext_client.bound import Dataset
from pretext_client.changes import Notes, change, narrowed
from pretext_client.errors import Conflict, InvalidRequest, JobFailed, NotFound, PretextError, TransferFailed
from pretext_client.http import Call, Http
from pretext_client.jobs import Jobs
from pretext_client.tus import RESUMABLE_BYTES, NotTakenError, Transfer
from pretext_client.types import Job, Labelled, Refused, Report, Sample
from pretext_client.unchanged import Known, OnCompare
from pretext_client.upload import OnBytes, Payload, Source, form, payload

_PATH = "/v1/datasets"


class Datasets:
    """Upload images, and see what became of them."""

    def __init__(self, http: Http, jobs: Jobs) -> None:
        self._http = http
        self._jobs = jobs

    def upload(
        self,
        source: Source | Iterable[Source],
        *,
        name: str | None = None,
        kind: str = "auto",
        metadata: Mapping[str, str] | None = None,
        reuse: bool | str = True,
        on_progress: OnBytes | None = None,
        on_compare: OnCompare | None = None,
    ) -> Dataset:
        """Upload images or videos. The dataset is `ingesting` at first; `wait` waits until it is ready.

        >>> dataset = pretext.datasets.upload("pictures/", name="pictures", on_progress=print)
        >>> dataset = pretext.datasets.wait(dataset.id)

        What is larger than some megabytes goes over in parts: where the connection breaks or the server is restarted, it goes on
        from there, at once or when the same is uploaded again later, also by another process of the same user.

        Of a folder, files that an earlier dataset has byte for byte are not sent again, also where they were renamed or moved; the
        server takes them from there. The new dataset is the same as if all had been sent, and does not depend on the earlier one.

        Args:
            source: an archive (zip, tar, tar.gz, tar.zst) or a single image or video, sent as it is; or a folder, or several files
                and folders, sent as a tar. Hidden files and symbolic links are left out. No labels and no class folders are needed.
            name: default: the name of the file or folder.
            kind: `image`, `video`, or `auto`, which looks what is there. As `video`, a folder of numbered images is a clip.
            metadata: your own notes.
            reuse: the id or name of the dataset to compare with; True: the newest of the same name, if there is any; False: send
                everything.
            on_progress: is called with the bytes sent, and the bytes in all.
            on_compare: is called with a `Comparison` after each file that was compared.

        Raises:
            TransferFailed: a file cannot be read, or changed its size meanwhile; or there are no files to compare.
            ApiError: the server refuses the upload, because it is too large for instance.
            ConnectionFailed: the server cannot be reached.
        """
        found = self._http.work(payload, source)
        name = name or found.title
        known = self._known(found, name, reuse)
        if known is not None:
            fewer = self._http.work(known.without, found, on_compare)
            if fewer is not found:
                try:
                    return self._send(fewer, name, kind, metadata, known.dataset.id, on_progress)
                except (NotFound, Conflict, InvalidRequest) as error:
                    if error.param != "base_dataset_id":
                        raise  # else the dataset was deleted meanwhile
        return self._send(found, name, kind, metadata, None, on_progress)

    def _known(self, found: Payload, name: str | None, reuse: bool | str) -> Known | None:
        """The files of the dataset that an upload is compared with."""
        if isinstance(reuse, str):
            if not found.members:
                raise TransferFailed(
                    f"{found.name} is sent as it is, and only the files of a folder can be compared; give a folder"
                )
            base: Dataset | None = self.find(reuse)
        else:
            base = self._newest(name) if reuse and found.members else None
        if base is None:
            return None
        known = Known(base)
        try:
            with self._http.stream(Call("GET", f"{_path(base.id)}/files")) as answer:
                for line in answer.iter_lines():
                    known.add(line)
        except NotFound:  # a server that does not have these lists, or the dataset was deleted
            if isinstance(reuse, str):
                raise
            return None
        return known

    def _newest(self, name: str | None) -> Dataset | None:
        for one in self.list(name=name, state="ready", limit=1):
            return one
        return None

    def _send(
        self,
        found: Payload,
        name: str | None,
        kind: str,
        metadata: Mapping[str, str] | None,
        base_id: str | None,
        on_progress: OnBytes | None,
    ) -> Dataset:
        fields = {
            "name": name,
            "kind": None if kind == "auto" else kind,
            "metadata": json.dumps(dict(metadata)) if metadata else None,
            "base_dataset_id": base_id,
        }
        if found.size > RESUMABLE_BYTES:
            wanted = {"name": name, "kind": kind, "metadata": dict(metadata or {}), "base_dataset_id": base_id}
            made = self._resumable(found, {key: value for key, value in wanted.items() if value}, on_progress)
            if made is not None:
                return made
        body = form(found, {key: value for key, value in fields.items() if value}, on_progress)
        return self._http.value(Call("POST", _PATH, headers={"Idempotency-Key": uuid.uuid4().hex}, body=body), Dataset)

    def _resumable(self, found: Payload, wanted: dict[str, object], on_progress: OnBytes | None) -> Dataset | None:
        """Upload in parts that can be resumed; None if the server takes no such uploads."""
        transfer = Transfer(self._http, found, on_progress)
        try:
            unfinished = transfer.run()
        except NotTakenError:
            return None
        body = {"upload_id": unfinished.upload_id, **wanted}
        try:
            made = self._http.value(Call("POST", _PATH, headers={"Idempotency-Key": unfinished.key}, json=body), Dataset)
        except (NotFound, Conflict, InvalidRequest) as error:
            if error.param == "base_dataset_id":
                transfer.drop()
            raise
        transfer.made()
        return made

    def create(self, upload_id: str, *, name: str = "", kind: str = "auto", idempotency_key: str | None = None) -> Dataset:
        """Make a dataset of an upload that has arrived; see `uploads`. `upload` does both at once.

        Raises:
            Conflict: it has not arrived yet.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        body = {"upload_id": upload_id, "name": name, "kind": kind}
        return self._http.value(Call("POST", _PATH, headers=headers, json=body), Dataset)

    def list(
        self,
        *,
        state: str | None = None,
        name: str | None = None,
        metadata: Notes | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Dataset]:
        """All datasets, the newest first; pages are fetched as needed. `after` is the id of one that the list goes on behind."""
        return self._http.some(
            _PATH, narrowed(metadata, state=state, name=name, after=after), Dataset, lambda dataset: dataset.id, limit
        )

    def get(self, dataset_id: str) -> Dataset:
        """Read a dataset."""
        return self._http.value(Call("GET", _path(dataset_id)), Dataset)

    def update(self, dataset_id: str, *, if_match: str | None = None, **changes: Any) -> Dataset:
        """Change its `name` or `metadata`; what is left out stays. Of `metadata`, other keys stay, and a key with None is deleted.

        Args:
            dataset_id: the dataset.
            if_match: what `etag` gave; nothing is changed if it was changed since then by somebody else (status 412).
            changes: what shall be different.
        """
        return self._http.value(change(_path(dataset_id), changes, if_match), Dataset)

    def etag(self, dataset_id: str) -> str:
        """The version of a dataset, for `update`. Read it before the dataset itself."""
        return self._http.headers(Call("GET", _path(dataset_id)))["ETag"]

    def find(self, dataset: str) -> Dataset:
        """Read a dataset by its id, or by its name if no other has the same.

        >>> dataset = pretext.datasets.find("birds")

        Raises:
            PretextError: several have this name.
            NotFound: none has.
        """
        if dataset.startswith("ds_"):
            return self.get(dataset)
        there = list(self.list())
        named = [one for one in there if one.name == dataset]
        if len(named) > 1:
            ids = ", ".join(one.id for one in named)
            raise PretextError(f"{len(named)} datasets are called {dataset!r}; choose one by its id: {ids}")
        if named:
            return named[0]
        close = get_close_matches(dataset, sorted({one.name for one in there}), n=2)
        meant = f"did you mean {' or '.join(map(repr, close))}?" if close else "`pretext datasets` lists those that there are"
        raise NotFound(404, "not_found", f"there is no dataset {dataset!r}; {meant}")

    def report(self, dataset_id: str) -> Report:
        """What ingest found: counts, sizes, duplicates, and the first of the refused members."""
        answer = self._http.json(Call("GET", f"{_path(dataset_id)}/report"))
        page = answer.get("refused") or {}
        return Report.of({**answer, "refused": page.get("data", ()), "more_refused": bool(page.get("has_more"))})

    def refused(self, dataset_id: str, *, after: int = 0) -> Iterator[Refused]:
        """Every member that was refused, with its reason, behind so many of them."""
        seen = after
        while True:
            page = self._http.json(Call("GET", f"{_path(dataset_id)}/report", {"after": seen, "limit": 100}))["refused"]
            yield from map(Refused.of, page["data"])
            seen += len(page["data"])
            if not page["has_more"] or not page["data"]:
                return

    def samples(self, dataset_id: str, *, after: int | None = None, limit: int | None = None) -> Iterator[Sample]:
        """Every image, in the order of the archive; `after` is the index of the last one that was seen.

        >>> for sample in pretext.datasets.samples(dataset.id, limit=5):
        ...     print(sample.path, sample.width, sample.height)
        """
        return self._http.some(f"{_path(dataset_id)}/samples", {"after": after}, Sample, lambda sample: sample.index, limit)

    def thumbnail(self, dataset_id: str, index: int, *, size: int = 128) -> bytes:
        """A small picture of an image as WebP; of a video a few of its frames.

        Args:
            dataset_id: the dataset.
            index: the sample's.
            size: longest side in pixels, 16 to 512.
        """
        with self._http.stream(Call("GET", f"{_path(dataset_id)}/samples/{index}/thumbnail", {"size": size})) as answer:
            return answer.read()

    def preview(self, dataset_id: str, task: str) -> bytes:
        """A picture of what a pretext task does to the dataset, as WebP: what the network sees of four samples, and what is right.

        Args:
            dataset_id: the dataset, which has to be ready.
            task: name of the task; `Task.preview` says what is seen.

        Raises:
            InvalidRequest: there is no such task, or the dataset does not allow it.
            Unavailable: no worker is there that draws it.
        """
        with self._http.stream(Call("GET", f"{_path(dataset_id)}/previews/{quote(task, safe='')}")) as answer:
            return answer.read()

    def label(
        self,
        dataset_id: str,
        table: str | os.PathLike[str],
        *,
        merge: bool = False,
        dry_run: bool = False,
        on_progress: OnBytes | None = None,
    ) -> Labelled:
        """Give the files of a dataset labels by a table, in place of those that it has.

        >>> labelled = pretext.datasets.label(dataset.id, "labels.csv", dry_run=True)
        >>> print(labelled.matched, labelled.first_unmatched)

        Args:
            dataset_id: the dataset, which has to be ready.
            table: a CSV file with the columns `file`, `label` and, if you like, `split`. A file is named by its path in the upload,
                or by an end of it that no other file has.
            merge: files that the table does not name keep their labels.
            dry_run: only tell what would come of it.
            on_progress: is called with the bytes sent, and the bytes in all.

        Raises:
            InvalidRequest: it is no such table, or none of it fits the dataset; nothing was changed.
            TransferFailed: the file cannot be read.
        """
        if Path(table).is_dir():
            raise TransferFailed(f"{table} is a folder; give the CSV file in it")
        params = {"mode": "merge" if merge else "replace", "dry_run": "true" if dry_run else None}
        return self._http.value(Call("PUT", f"{_path(dataset_id)}/labels", params, body=form(table, {}, on_progress)), Labelled)

    def labels(self, dataset_id: str) -> Iterator[bytes]:
        """The labels of all files as a table, in pieces of CSV: `file,label,split`, empty where there is none."""
        with self._http.stream(Call("GET", f"{_path(dataset_id)}/labels")) as answer:
            yield from answer.iter_bytes()

    def unlabel(self, dataset_id: str) -> None:
        """Take away the labels that were given by a table; those of the upload's class folders are there again."""
        self._http.json(Call("DELETE", f"{_path(dataset_id)}/labels"))

    def delete(self, dataset_id: str) -> None:
        """Delete a dataset and its images. Models that were trained on it stay.

        Raises:
            Conflict: a job needs it at the moment.
        """
        self._http.json(Call("DELETE", _path(dataset_id)))

    def wait(self, dataset_id: str, *, timeout: float | None = None, on_progress: Callable[[Job], None] | None = None) -> Dataset:
        """Wait until a dataset is ready.

        Args:
            dataset_id: the dataset.
            timeout: seconds to wait at most; None: as long as it takes.
            on_progress: is called with the ingest's job whenever that has changed.

        Raises:
            JobFailed: the ingest has failed.
            WaitTimedOut: the time is up.
        """
        dataset = self.get(dataset_id)
        if dataset.state == "ingesting" and dataset.job_id is not None:
            self._jobs.wait(dataset.job_id, timeout=timeout, on_progress=on_progress)
            dataset = self.get(dataset_id)
        if dataset.state != "ready":
            told = dataset.error.message if dataset.error else f"it is {dataset.state}"
            raise JobFailed(f"the dataset {dataset_id} cannot be used: {told}")
        return dataset


def _path(dataset_id: str) -> str:
    return f"{_PATH}/{quote(dataset_id, safe='')}"
