"""Pictures for `<img>`, and files to download: fetched with the viewer's key, which no address of the page carries."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from typing import Annotated, TypeVar

import anyio
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pretext_client import Pretext, Unauthorized

from dashboard.sessions import Sessions
from dashboard.threads import in_thread

ResultT = TypeVar("ResultT")
Id = Annotated[str, Path(pattern=r"^[a-z]+_[0-9a-z]+$", max_length=100)]
TaskName = Annotated[str, Path(pattern=r"^[a-z0-9_]+$", max_length=100)]
FileName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=200)]
_KEPT = "private, max-age=86400"
_WEBP, _PNG = b"WEBP", b"\x89PNG"


def thumbnail_url(dataset_id: str, index: int, size: int = 192) -> str:
    """Where a small picture of a sample is, on this page."""
    return f"{samples_url(dataset_id)}{index}?size={size}"


def samples_url(dataset_id: str) -> str:
    """What all addresses of small pictures of a dataset begin with: the sample's index comes behind it."""
    return f"/files/datasets/{dataset_id}/samples/"


def preview_url(dataset_id: str, task: str, content: bytes) -> str:
    """Where a preview of a task is. Its hash makes it another address when it is drawn in another way."""
    return f"/files/datasets/{dataset_id}/previews/{task}?v={sha256(content).hexdigest()[:12]}"


def picture_url(job_id: str, epoch: int, sha256: str) -> str:
    """Where a picture of a training is. Its hash makes it another address when it is drawn anew."""
    return f"/files/jobs/{job_id}/pictures/{epoch}?v={sha256[:12]}"


def model_file_url(model_id: str, name: str) -> str:
    """Where a file of a model can be downloaded, on this page."""
    return f"/files/models/{model_id}/{name}"


async def within(sessions: Sessions, request: Request, work: Callable[[Pretext], ResultT]) -> ResultT:
    """Call the client of whoever asks, in a thread.

    Raises:
        Unauthorized: they are signed out.
    """

    def run() -> ResultT:
        session = sessions.of(request)
        if session is None:
            raise Unauthorized(401, "unauthorized", "you are signed out; sign in again")
        return work(session.client)

    return await in_thread(run)


def router(sessions: Sessions) -> APIRouter:
    """The routes of pictures."""
    routes = APIRouter(prefix="/files", include_in_schema=False)

    @routes.get("/datasets/{dataset_id}/samples/{index}")
    async def sample(
        request: Request,
        dataset_id: Id,
        index: Annotated[int, Path(ge=0)],
        size: Annotated[int, Query(ge=16, le=512)] = 192,
    ) -> Response:
        content = await within(sessions, request, lambda pretext: pretext.datasets.thumbnail(dataset_id, index, size=size))
        return _picture(content)

    @routes.get("/datasets/{dataset_id}/previews/{task}")
    async def preview(request: Request, dataset_id: Id, task: TaskName) -> Response:
        return _picture(await within(sessions, request, lambda pretext: pretext.datasets.preview(dataset_id, task)))

    @routes.get("/jobs/{job_id}/pictures/{epoch}")
    async def picture(request: Request, job_id: Id, epoch: Annotated[int, Path(ge=0)]) -> Response:
        return _picture(await within(sessions, request, lambda pretext: pretext.jobs.picture(job_id, epoch)))

    @routes.get("/models/{model_id}/{name}")
    async def model_file(request: Request, model_id: Id, name: FileName) -> Response:
        return await within(sessions, request, lambda pretext: _passed_on(pretext, model_id, name))

    return routes


def _passed_on(pretext: Pretext, model_id: str, name: str) -> Response:
    """A file as it comes from the server, of which no more than a chunk is in memory. What cannot be opened raises here already."""
    opened = ExitStack()
    chunks = opened.enter_context(pretext.models.open(model_id, name))

    async def content() -> AsyncIterator[bytes]:
        with opened:
            while chunk := await _next(chunks):
                yield chunk

    # A type that GZipMiddleware would compress costs time and wins nothing: weights are noise.
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Encoding": "identity"}
    return StreamingResponse(content(), media_type="application/octet-stream", headers=headers)


async def _next(chunks: Iterator[bytes]) -> bytes | None:
    """Not to be left alone when the browser hangs up: nothing may be closed that a thread reads from."""
    with anyio.CancelScope(shield=True):
        return await in_thread(next, chunks, None)
    raise AssertionError  # nothing is cancelled in there


def _picture(content: bytes) -> Response:
    """Only what is a picture by its first bytes goes out as one."""
    kind = "image/webp" if content[8:12] == _WEBP else "image/png" if content[:4] == _PNG else "application/octet-stream"
    return Response(content, media_type=kind, headers={"Cache-Control": _KEPT})
