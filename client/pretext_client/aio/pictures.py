"""The same as `pictures.py` for `await`. Made by client/make_async: change that file, and run it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from pretext_client.aio.download import AsyncDownload
from pretext_client.async_http import AsyncHttp
from pretext_client.errors import NotFound, TransferFailed
from pretext_client.http import Call
from pretext_client.pictures import path_of
from pretext_client.types import ModelFile, Picture
from pretext_client.upload import OnBytes


def listed(http: AsyncHttp, job_id: str, *, after: int | None = None, limit: int | None = None) -> AsyncIterator[Picture]:
    """All pictures of a job, the oldest epoch first; pages are fetched as needed. `after` is the last epoch that was seen."""
    return http.some(path_of(job_id), {"after": after}, Picture, lambda picture: picture.epoch, limit)


async def content(http: AsyncHttp, job_id: str, epoch: int | None) -> bytes:
    """The file of an epoch, PNG or animated WebP; None: of the newest."""
    async with http.stream(Call("GET", path_of(job_id, "latest" if epoch is None else epoch))) as response:
        return await response.aread()


async def download(
    http: AsyncHttp, job_id: str, directory: str | os.PathLike[str], on_progress: OnBytes | None = None
) -> tuple[Path, ...]:
    """Bring a folder up to date with the pictures of a job. See `Jobs.download_pictures`."""
    folder = Path(directory)
    found = [one async for one in listed(http, job_id)]
    total = sum(picture.bytes for picture in found)
    if found:
        folder.mkdir(parents=True, exist_ok=True)
    paths, before = [], 0
    for picture in found:
        paths.append(await _fetched(http, job_id, picture, folder))
        before += picture.bytes
        if on_progress is not None:
            on_progress(before, total)
    return tuple(paths)


async def _fetched(http: AsyncHttp, job_id: str, picture: Picture, folder: Path) -> Path:
    try:
        return await _fetch(http, job_id, picture, folder)
    except (TransferFailed, NotFound):
        # While a job runs, a later attempt may draw an epoch anew between the list and the file; then the list has changed too.
        again = await anext(
            http.pages(path_of(job_id), {"after": picture.epoch - 1, "limit": 1}, Picture, lambda one: one.epoch), picture
        )
        if again.epoch != picture.epoch or again.sha256 == picture.sha256:
            raise
        return await _fetch(http, job_id, again, folder)


async def _fetch(http: AsyncHttp, job_id: str, picture: Picture, folder: Path) -> Path:
    suffix = "webp" if picture.format == "webp" else "png"
    file = ModelFile(name=f"epoch-{picture.epoch:06}.{suffix}", bytes=picture.bytes, sha256=picture.sha256)
    one = AsyncDownload(http, path_of(job_id, picture.epoch), file, folder)
    await one.run(lambda _here: None)
    return one.target
