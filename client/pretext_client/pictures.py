"""Pictures of a training: listed, fetched, and kept in a folder that can be brought up to date again."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pretext_client.download import Download
from pretext_client.errors import NotFound, TransferFailed
from pretext_client.http import Call, Http
from pretext_client.types import ModelFile, Picture
from pretext_client.upload import OnBytes


def path_of(job_id: str, picture: int | str | None = None) -> str:
    """Where a job's pictures are at the server, or one of them: an epoch, or `latest`."""
    return f"/v1/jobs/{quote(job_id, safe='')}/pictures" + ("" if picture is None else f"/{picture}")


def listed(http: Http, job_id: str, *, after: int | None = None, limit: int | None = None) -> Iterator[Picture]:
    """All pictures of a job, the oldest epoch first; pages are fetched as needed. `after` is the last epoch that was seen."""
    return http.some(path_of(job_id), {"after": after}, Picture, lambda picture: picture.epoch, limit)


def content(http: Http, job_id: str, epoch: int | None) -> bytes:
    """The file of an epoch, PNG or animated WebP; None: of the newest."""
    with http.stream(Call("GET", path_of(job_id, "latest" if epoch is None else epoch))) as response:
        return response.read()


def download(http: Http, job_id: str, directory: str | os.PathLike[str], on_progress: OnBytes | None = None) -> tuple[Path, ...]:
    """Bring a folder up to date with the pictures of a job. See `Jobs.download_pictures`."""
    folder = Path(directory)
    found = list(listed(http, job_id))
    total = sum(picture.bytes for picture in found)
    if found:
        folder.mkdir(parents=True, exist_ok=True)
    paths, before = [], 0
    for picture in found:
        paths.append(_fetched(http, job_id, picture, folder))
        before += picture.bytes
        if on_progress is not None:
            on_progress(before, total)
    return tuple(paths)


def _fetched(http: Http, job_id: str, picture: Picture, folder: Path) -> Path:
    try:
        return _fetch(http, job_id, picture, folder)
    except (TransferFailed, NotFound):
        # While a job runs, a later attempt may draw an epoch anew between the list and the file; then the list has changed too.
        again = next(http.pages(path_of(job_id), {"after": picture.epoch - 1, "limit": 1}, Picture, lambda one: one.epoch), picture)
        if again.epoch != picture.epoch or again.sha256 == picture.sha256:
            raise
        return _fetch(http, job_id, again, folder)


def _fetch(http: Http, job_id: str, picture: Picture, folder: Path) -> Path:
    suffix = "webp" if picture.format == "webp" else "png"
    file = ModelFile(name=f"epoch-{picture.epoch:06}.{suffix}", bytes=picture.bytes, sha256=picture.sha256)
    one = Download(http, path_of(job_id, picture.epoch), file, folder)
    one.run(lambda _here: None)
    return one.target
