"""The same as `datasets.py` for `await`. Made by client/make_async: change that file, and run it."""

import json
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pretext_client.aio.bound import AsyncDataset
from pretext_client.aio.jobs import AsyncJobs
from pretext_client.aio.tus import AsyncTransfer
from pretext_client.async_http import AsyncHttp
from pretext_client.changes import Notes, change, narrowed
from pretext_client.datasets import _PATH, _path
from pretext_client.errors import Conflict, InvalidRequest, JobFailed, NotFound, PretextError, TransferFailed
from pretext_client.http import Call
from pretext_client.tus import RESUMABLE_BYTES, NotTakenError
from pretext_client.types import Job, Labelled, Refused, Report, Sample
from pretext_client.unchanged import Known, OnCompare
from pretext_client.upload import OnBytes, Payload, Source, form, payload


class AsyncDatasets:
    """Upload images, and see what became of them."""

    def __init__(self, http: AsyncHttp, jobs: AsyncJobs) -> None:
        self._http = http
        self._jobs = jobs

    async def upload(
        self,
        source: Source | Iterable[Source],
        *,
        name: str | None = None,
        kind: str = "auto",
        metadata: Mapping[str, str] | None = None,
        reuse: bool | str = True,
        on_progress: OnBytes | None = None,
        on_compare: OnCompare | None = None,
    ) -> AsyncDataset:
        """Upload images or videos. The dataset is `ingesting` at first; `wait` waits until it is ready.

        >>> dataset = await pretext.datasets.upload("pictures/", name="pictures", on_progress=print)
        >>> dataset = await pretext.datasets.wait(dataset.id)

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
        found = await self._http.work(payload, source)
        name = name or found.title
        known = await self._known(found, name, reuse)
        if known is not None:
            fewer = await self._http.work(known.without, found, on_compare)
            if fewer is not found:
                try:
                    return await self._send(fewer, name, kind, metadata, known.dataset.id, on_progress)
                except (NotFound, Conflict, InvalidRequest) as error:
                    if error.param != "base_dataset_id":
                        raise  # else the dataset was deleted meanwhile
        return await self._send(found, name, kind, metadata, None, on_progress)

    async def _known(self, found: Payload, name: str | None, reuse: bool | str) -> Known | None:
        """The files of the dataset that an upload is compared with."""
        if isinstance(reuse, str):
            if not found.members:
                raise TransferFailed(
                    f"{found.name} is sent as it is, and only the files of a folder can be compared; give a folder"
                )
            base: AsyncDataset | None = await self.find(reuse)
        else:
            base = await self._newest(name) if reuse and found.members else None
        if base is None:
            return None
        known = Known(base)
        try:
            async with self._http.stream(Call("GET", f"{_path(base.id)}/files")) as answer:
                async for line in answer.aiter_lines():
                    known.add(line)
        except NotFound:  # a server that does not have these lists, or the dataset was deleted
            if isinstance(reuse, str):
                raise
            return None
        return known

    async def _newest(self, name: str | None) -> AsyncDataset | None:
        async for one in self.list(name=name, state="ready", limit=1):
            return one
        return None

    async def _send(
        self,
        found: Payload,
        name: str | None,
        kind: str,
        metadata: Mapping[str, str] | None,
        base_id: str | None,
        on_progress: OnBytes | None,
    ) -> AsyncDataset:
        fields = {
            "name": name,
            "kind": None if kind == "auto" else kind,
            "metadata": json.dumps(dict(metadata)) if metadata else None,
            "base_dataset_id": base_id,
        }
        if found.size > RESUMABLE_BYTES:
            wanted = {"name": name, "kind": kind, "metadata": dict(metadata or {}), "base_dataset_id": base_id}
            made = await self._resumable(found, {key: value for key, value in wanted.items() if value}, on_progress)
            if made is not None:
                return made
        body = form(found, {key: value for key, value in fields.items() if value}, on_progress)
        return await self._http.value(Call("POST", _PATH, headers={"Idempotency-Key": uuid.uuid4().hex}, body=body), AsyncDataset)

    async def _resumable(self, found: Payload, wanted: dict[str, object], on_progress: OnBytes | None) -> AsyncDataset | None:
        """Upload in parts that can be resumed; None if the server takes no such uploads."""
        transfer = AsyncTransfer(self._http, found, on_progress)
        try:
            unfinished = await transfer.run()
        except NotTakenError:
            return None
        body = {"upload_id": unfinished.upload_id, **wanted}
        try:
            made = await self._http.value(Call("POST", _PATH, headers={"Idempotency-Key": unfinished.key}, json=body), AsyncDataset)
        except (NotFound, Conflict, InvalidRequest) as error:
            if error.param == "base_dataset_id":
                await transfer.drop()
            raise
        transfer.made()
        return made

    async def create(
        self, upload_id: str, *, name: str = "", kind: str = "auto", idempotency_key: str | None = None
    ) -> AsyncDataset:
        """Make a dataset of an upload that has arrived; see `uploads`. `upload` does both at once.

        Raises:
            Conflict: it has not arrived yet.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        body = {"upload_id": upload_id, "name": name, "kind": kind}
        return await self._http.value(Call("POST", _PATH, headers=headers, json=body), AsyncDataset)

    def list(
        self,
        *,
        state: str | None = None,
        name: str | None = None,
        metadata: Notes | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[AsyncDataset]:
        """All datasets, the newest first; pages are fetched as needed. `after` is the id of one that the list goes on behind."""
        return self._http.some(
            _PATH, narrowed(metadata, state=state, name=name, after=after), AsyncDataset, lambda dataset: dataset.id, limit
        )

    async def get(self, dataset_id: str) -> AsyncDataset:
        """Read a dataset."""
        return await self._http.value(Call("GET", _path(dataset_id)), AsyncDataset)

    async def update(self, dataset_id: str, *, if_match: str | None = None, **changes: Any) -> AsyncDataset:
        """Change its `name` or `metadata`; what is left out stays. Of `metadata`, other keys stay, and a key with None is deleted.

        Args:
            dataset_id: the dataset.
            if_match: what `etag` gave; nothing is changed if it was changed since then by somebody else (status 412).
            changes: what shall be different.
        """
        return await self._http.value(change(_path(dataset_id), changes, if_match), AsyncDataset)

    async def etag(self, dataset_id: str) -> str:
        """The version of a dataset, for `update`. Read it before the dataset itself."""
        return (await self._http.headers(Call("GET", _path(dataset_id))))["ETag"]

    async def find(self, dataset: str) -> AsyncDataset:
        """Read a dataset by its id, or by its name if no other has the same.

        >>> dataset = await pretext.datasets.find("birds")

        Raises:
            PretextError: several have this name.
            NotFound: none has.
        """
        if dataset.startswith("ds_"):
            return await self.get(dataset)
        there = [one async for one in self.list()]
        named = [one for one in there if one.name == dataset]
        if len(named) > 1:
            ids = ", ".join(one.id for one in named)
            raise PretextError(f"{len(named)} datasets are called {dataset!r}; choose one by its id: {ids}")
        if named:
            return named[0]
        close = get_close_matches(dataset, sorted({one.name for one in there}), n=2)
        meant = f"did you mean {' or '.join(map(repr, close))}?" if close else "`pretext datasets` lists those that there are"
        raise NotFound(404, "not_found", f"there is no dataset {dataset!r}; {meant}")

    async def report(self, dataset_id: str) -> Report:
        """What ingest found: counts, sizes, duplicates, and the first of the refused members."""
        answer = await self._http.json(Call("GET", f"{_path(dataset_id)}/report"))
        page = answer.get("refused") or {}
        return Report.of({**answer, "refused": page.get("data", ()), "more_refused": bool(page.get("has_more"))})

    async def refused(self, dataset_id: str, *, after: int = 0) -> AsyncIterator[Refused]:
        """Every member that was refused, with its reason, behind so many of them."""
        seen = after
        while True:
            page = (await self._http.json(Call("GET", f"{_path(dataset_id)}/report", {"after": seen, "limit": 100})))["refused"]
            for one in map(Refused.of, page["data"]):
                yield one
            seen += len(page["data"])
            if not page["has_more"] or not page["data"]:
                return

    def samples(self, dataset_id: str, *, after: int | None = None, limit: int | None = None) -> AsyncIterator[Sample]:
        """Every image, in the order of the archive; `after` is the index of the last one that was seen.

        >>> async for sample in pretext.datasets.samples(dataset.id, limit=5):
        ...     print(sample.path, sample.width, sample.height)
        """
        return self._http.some(f"{_path(dataset_id)}/samples", {"after": after}, Sample, lambda sample: sample.index, limit)

    async def thumbnail(self, dataset_id: str, index: int, *, size: int = 128) -> bytes:
        """A small picture of an image as WebP; of a video a few of its frames.

        Args:
            dataset_id: the dataset.
            index: the sample's.
            size: longest side in pixels, 16 to 512.
        """
        async with self._http.stream(Call("GET", f"{_path(dataset_id)}/samples/{index}/thumbnail", {"size": size})) as answer:
            return await answer.aread()

    async def preview(self, dataset_id: str, task: str) -> bytes:
        """A picture of what a pretext task does to the dataset, as WebP: what the network sees of four samples, and what is right.

        Args:
            dataset_id: the dataset, which has to be ready.
            task: name of the task; `Task.preview` says what is seen.

        Raises:
            InvalidRequest: there is no such task, or the dataset does not allow it.
            Unavailable: no worker is there that draws it.
        """
        async with self._http.stream(Call("GET", f"{_path(dataset_id)}/previews/{quote(task, safe='')}")) as answer:
            return await answer.aread()

    async def label(
        self,
        dataset_id: str,
        table: str | os.PathLike[str],
        *,
        merge: bool = False,
        dry_run: bool = False,
        on_progress: OnBytes | None = None,
    ) -> Labelled:
        """Give the files of a dataset labels by a table, in place of those that it has.

        >>> labelled = await pretext.datasets.label(dataset.id, "labels.csv", dry_run=True)
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
        return await self._http.value(
            Call("PUT", f"{_path(dataset_id)}/labels", params, body=form(table, {}, on_progress)), Labelled
        )

    async def labels(self, dataset_id: str) -> AsyncIterator[bytes]:
        """The labels of all files as a table, in pieces of CSV: `file,label,split`, empty where there is none."""
        async with self._http.stream(Call("GET", f"{_path(dataset_id)}/labels")) as answer:
            async for one in answer.aiter_bytes():
                yield one

    async def unlabel(self, dataset_id: str) -> None:
        """Take away the labels that were given by a table; those of the upload's class folders are there again."""
        await self._http.json(Call("DELETE", f"{_path(dataset_id)}/labels"))

    async def delete(self, dataset_id: str) -> None:
        """Delete a dataset and its images. Models that were trained on it stay.

        Raises:
            Conflict: a job needs it at the moment.
        """
        await self._http.json(Call("DELETE", _path(dataset_id)))

    async def wait(
        self, dataset_id: str, *, timeout: float | None = None, on_progress: Callable[[Job], None] | None = None
    ) -> AsyncDataset:
        """Wait until a dataset is ready.

        Args:
            dataset_id: the dataset.
            timeout: seconds to wait at most; None: as long as it takes.
            on_progress: is called with the ingest's job whenever that has changed.

        Raises:
            JobFailed: the ingest has failed.
            WaitTimedOut: the time is up.
        """
        dataset = await self.get(dataset_id)
        if dataset.state == "ingesting" and dataset.job_id is not None:
            await self._jobs.wait(dataset.job_id, timeout=timeout, on_progress=on_progress)
            dataset = await self.get(dataset_id)
        if dataset.state != "ready":
            told = dataset.error.message if dataset.error else f"it is {dataset.state}"
            raise JobFailed(f"the dataset {dataset_id} cannot be used: {told}")
        return dataset
