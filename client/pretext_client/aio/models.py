"""The same as `models.py` for `await`. Made by client/make_async: change that file, and run it."""

import json
import os
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pretext_client import loading
from pretext_client.aio import at_once
from pretext_client.aio.bound import AsyncJob, AsyncModel
from pretext_client.aio.download import AsyncDownload, download_all
from pretext_client.async_http import AsyncHttp
from pretext_client.at_once import Image
from pretext_client.cache import Cache
from pretext_client.changes import Notes, change, narrowed
from pretext_client.errors import TransferFailed
from pretext_client.http import Call
from pretext_client.loading import CannotLoad
from pretext_client.models import _CHUNK, _PATH, _path
from pretext_client.types import Embedded, ModelFile
from pretext_client.upload import OnBytes, form

if TYPE_CHECKING:
    from pretext_client.loading import Loaded


class AsyncModels:
    """See encoders, use and download them, and bring your own."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(
        self,
        *,
        dataset_id: str | None = None,
        task: str | None = None,
        name: str | None = None,
        metadata: Notes | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[AsyncModel]:
        """All models, or at most `limit` of them, the newest first and behind the one `after`; pages are fetched as needed.

        >>> newest = await anext(pretext.models.list(task="rotation"))
        """
        params = narrowed(metadata, dataset_id=dataset_id, task=task, name=name, after=after)
        return self._http.some(_PATH, params, AsyncModel, lambda model: model.id, limit)

    async def get(self, model_id: str) -> AsyncModel:
        """Read a model."""
        return await self._http.value(Call("GET", _path(model_id)), AsyncModel)

    async def update(self, model_id: str, *, if_match: str | None = None, **changes: Any) -> AsyncModel:
        """Change its `name` or `metadata`; what is left out stays. Of `metadata`, other keys stay, and a key with None is deleted.

        Args:
            model_id: the model.
            if_match: what `etag` gave; nothing is changed if it was changed since then by somebody else (status 412).
            changes: what shall be different.
        """
        return await self._http.value(change(_path(model_id), changes, if_match), AsyncModel)

    async def etag(self, model_id: str) -> str:
        """The version of a model, for `update`. Read it before the model itself."""
        return (await self._http.headers(Call("GET", _path(model_id))))["ETag"]

    async def upload(
        self,
        path: str | os.PathLike[str],
        *,
        encoder: str,
        image_size: int,
        stem: str = "standard",
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        on_progress: OnBytes | None = None,
    ) -> AsyncModel:
        """Upload an encoder of your own, to start trainings from it (`jobs.create(…, init_from=model.id)`).

        >>> model = await pretext.models.upload("encoder/encoder.safetensors", encoder="resnet18", image_size=224)

        Args:
            path: a safetensors file with the weights under torchvision's key names. A classifier's may be among them.
            encoder: the network that they are of.
            image_size: side of the images that it was trained on, in pixels.
            stem: its first layers: `standard` is torchvision's own, `small` the one for small images.
            name: default: made of the encoder and the file's name.
            metadata: your own notes.
            on_progress: is called with the bytes sent, and the bytes in all.

        Raises:
            TransferFailed: the file cannot be read.
            InvalidRequest: it is not safetensors, or there is no such encoder.
            TooLarge: it is larger than the server takes.
        """
        if Path(path).is_dir():
            raise TransferFailed(f"{path} is a folder; give the safetensors file in it")
        notes = json.dumps(dict(metadata)) if metadata else None
        fields = {"encoder": encoder, "stem": stem, "image_size": str(image_size), "name": name, "metadata": notes}
        body = form(path, {key: value for key, value in fields.items() if value}, on_progress)
        return await self._http.value(Call("POST", _PATH, headers={"Idempotency-Key": uuid.uuid4().hex}, body=body), AsyncModel)

    async def embed(self, model_id: str, images: Iterable[Image], *, stage: str | None = None, normalize: bool = False) -> Embedded:
        """Embed a few images at once; `jobs.embed` is for whole datasets. More than 64 are sent 64 at a time.

        >>> numpy.array((await pretext.models.embed(model.id, ["cat.jpg", "dog.jpg"])).vectors)

        Args:
            model_id: the model; its encoder has to be of images.
            images: files, or the bytes that are in them.
            stage: after which stage of the encoder, such as `layer3`. Default: its own features.
            normalize: scale each embedding to length 1.

        Raises:
            InvalidRequest: an image cannot be used, which is named, or there is no such stage.
            NotFound: there is no such model.
            Unavailable: no worker answers.
            TransferFailed: a file cannot be read.
        """
        return await at_once.embed(self._http, model_id, images, stage=stage, normalize=normalize)

    async def export(
        self,
        model_id: str,
        *,
        stage: str | None = None,
        formats: Sequence[str] | None = None,
        idempotency_key: str | None = None,
        **settings: Any,
    ) -> AsyncJob:
        """Queue an export, which makes another model of the same encoder; its id is the job's `model_id` at the job's end.

        >>> job = await pretext.models.export(model.id, formats=["onnx"])

        Args:
            model_id: the model; one that was uploaded gets a model card and its formats by this.
            stage: where the encoder ends, such as `layer3`; the features are the mean over that stage's map. `best`: the stage that
                the newest evaluation found best. Default: where it ends now.
            formats: what there is to be beside the weights: `onnx`, `pt2`. Default: both.
            idempotency_key: of a request that was perhaps sent before, and shall be carried out once; default: a new one.
            settings: `priority`, `metadata`.

        Raises:
            InvalidRequest: there is no such stage or format, or no evaluation that knows the best one.
            NotFound: there is no such model.
        """
        request: dict[str, Any] = {"kind": "export", "model_id": model_id, "stage": stage, **settings}
        if formats is not None:
            request["formats"] = list(formats)
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return await self._http.value(Call("POST", "/v1/jobs", headers=headers, json=request), AsyncJob)

    async def delete(self, model_id: str) -> None:
        """Delete a model and its files.

        Raises:
            Conflict: a job that has not ended starts from it.
        """
        await self._http.json(Call("DELETE", _path(model_id)))

    async def download(
        self, model_id: str, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download every file of a model.

        >>> paths = await pretext.models.download(model.id, "encoder/")

        A file appears under its name once it is whole and its SHA-256 is right. A download that was cut off goes on where it
        was, at once or when it is called again. A file that is there already is left alone.

        Args:
            model_id: the model.
            directory: folder to put the files in; made if it is missing.
            force: overwrite files of the same names and other content.
            on_progress: is called with the bytes that are there, and the bytes in all.

        Raises:
            TransferFailed: a file of the same name and other content is there, or the bytes that came are wrong.
            ConnectionFailed: the server cannot be reached.
        """
        files = (await self.get(model_id)).files
        return await download_all(self._http, _path(model_id), files, directory, force=force, on_progress=on_progress)

    async def load(
        self,
        model_id: str,
        *,
        via: str = "auto",
        device: str = "cpu",
        cache: str | os.PathLike[str] | None = None,
        on_progress: OnBytes | None = None,
    ) -> "Loaded":
        """Load a model as a torch module in evaluation mode; its files are kept, so that the next time takes no download.

        >>> network = await pretext.models.load(model.id)
        >>> features = network(network.preprocess("cat.jpg").unsqueeze(0))

        Args:
            model_id: the model.
            via: what makes the network: `torchvision`, `timm` or `pt2`; as of `pretext_client.load`.
            device: where it goes, as torch names it.
            cache: folder for the files, by their SHA-256. Default: `~/.cache/pretext`, at most 20 GB, or
                `PRETEXT_CACHE_MOST_BYTES`; what was used longest ago makes room.
            on_progress: is called with the bytes that are there, and the bytes in all.

        Raises:
            CannotLoad: PyTorch or another package is missing, or the model has no such file.
            NotFound: there is no such model.
            TransferFailed: the bytes that came are wrong.
        """
        files = {file.name: file for file in (await self.get(model_id)).files}
        if loading.CONFIG not in files:
            raise CannotLoad(f"{model_id} has no {loading.CONFIG}, without which nobody knows what its weights are of")
        kept = Cache(cache)
        config = await self._cached(model_id, files[loading.CONFIG], kept, None)
        chosen = loading.choose(json.loads(config.read_text(encoding="utf-8")), via, set(files))
        name = loading.needed(chosen)[1]
        weights = await self._cached(model_id, files[name], kept, on_progress)
        await self._http.work(kept.make_room, {files[loading.CONFIG].sha256, files[name].sha256})
        return await self._http.work(loading.open_files, {loading.CONFIG: config, name: weights}, chosen, device)

    async def _cached(self, model_id: str, file: ModelFile, kept: Cache, on_progress: OnBytes | None) -> Path:
        """A file of a model in the cache, there already or fetched, and compared with its SHA-256."""
        one = AsyncDownload(self._http, f"{_path(model_id)}/files/{quote(file.name, safe='')}", file, kept.place(file.sha256))
        await one.run(lambda here: on_progress(here, file.bytes) if on_progress else None)
        return one.target

    @asynccontextmanager
    async def open(self, model_id: str, name: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read a file of a model bit by bit, to pass it on; `download` is what keeps and verifies it.

        >>> async with pretext.models.open(model.id, "config.json") as pieces:
        ...     async for piece in pieces:
        ...         print(len(piece))

        Raises:
            NotFound: there is no such model or file.
            ConnectionFailed: the server cannot be reached, or the answer broke off.
        """
        call = Call("GET", f"{_path(model_id)}/files/{quote(name, safe='')}", headers={"Accept-Encoding": "identity"})
        async with self._http.stream(call) as response:
            yield response.aiter_bytes(_CHUNK)
