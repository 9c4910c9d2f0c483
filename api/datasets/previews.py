"""Pictures of what a pretext task does to a dataset. No torch here: a worker draws them, and they are kept with the dataset."""

import json
import logging
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Path, Request, Response

from api.errors import responses
from api.etags import IfNoneMatch, is_there
from api.jobs.service import facts_of
from api.models.embedding import Waiting, asked
from api.services import Services, ServicesDep
from records.errors import ConflictError, DiskFullError, InvalidError, NotFoundError, RecordsError, UnavailableError
from records.queries import datasets, workers
from records.questions import PreviewQuestion
from ssl_core.spec import TASKS, PretrainSpec, resolve

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

_DRAWING = 1
"""Counts the ways in which previews were ever drawn: one of an earlier way is drawn anew."""
TaskName = Annotated[str, Path(description="Name of the task, as of `/v1/tasks`.", json_schema_extra={"enum": list(TASKS)})]
_PASSING = {"embedder_crashed", "unavailable", "storage_failed", "too_slow"}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/webp": {}}, "description": "The picture, a WebP; its SHA-256 is the `ETag`."},
    304: {"description": "The picture is the one that `If-None-Match` names."},
    **responses(401, 404, 409, 422, 503),
}


@dataclass(frozen=True)
class _Preview:
    """One preview, and where it is kept."""

    dataset_id: str
    task: str
    spec: dict[str, Any]
    listening: int
    """Workers that are alive to draw it."""

    @property
    def key(self) -> str:
        """Of its blob, which goes with the dataset. Another way to ask, or to draw, is another blob."""
        made_of = json.dumps([_DRAWING, self.spec], sort_keys=True)
        return f"datasets/{self.dataset_id}/previews/{self.task}-{sha256(made_of.encode()).hexdigest()[:16]}.webp"


@router.head("/{dataset_id}/previews/{task}", include_in_schema=False)
@router.get("/{dataset_id}/previews/{task}", summary="See what a task does", response_class=Response, responses=_FILE)
async def read_preview(
    dataset_id: str, task: TaskName, request: Request, services: ServicesDep, if_none_match: IfNoneMatch = None
) -> Response:
    """A small picture of what a pretext task makes of four samples of this dataset: what the network sees, and what is right.

    Drawn with the settings that a job with nothing but the task has, and without any network: a worker does it in about a second,
    the first of all in some more. After that it is there at once. A task that this dataset does not allow is refused as a job is.
    `preview` in `/v1/tasks` says what is seen in it.
    """
    wanted = await anyio.to_thread.run_sync(_wanted, services, dataset_id, task)
    content = await anyio.to_thread.run_sync(_kept, services, wanted)
    if content is None:
        waiting: Waiting = request.app.state.waiting_for_previews
        with waiting.place():
            content = await anyio.to_thread.run_sync(_drawn, services, wanted, limiter=waiting.limiter)
    etag = f'"{sha256(content).hexdigest()}"'
    headers = {
        "ETag": etag,
        # Not for good: a later version of the server may draw it in another way.
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'inline; filename="{wanted.dataset_id}-{task}.webp"',
    }
    if is_there(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="image/webp", headers=headers)


def _wanted(services: Services, dataset_id: str, task: str) -> _Preview:
    """What is to be seen.

    Raises:
        NotFoundError: there is no such dataset.
        ConflictError: it is not ready.
        InvalidError: there is no such task.
        SpecError: the dataset does not allow it.
    """
    with services.database.read() as session:
        dataset = datasets.ready(session, dataset_id)
        if task not in TASKS:
            raise InvalidError(f"there is no task {task!r:.80}; choose one of {', '.join(TASKS)}", param="task")
        spec = resolve(PretrainSpec.model_validate({"task": {"name": task}}), facts_of(dataset))
        return _Preview(dataset.id, task, spec.model_dump(mode="json"), workers.embedding(session))


def _kept(services: Services, wanted: _Preview) -> bytes | None:
    try:
        return services.blobs.path(wanted.key).read_bytes()
    except FileNotFoundError:
        return None


def _drawn(services: Services, wanted: _Preview) -> bytes:
    """Have a worker draw it, and keep it.

    Raises:
        UnavailableError: no worker does.
        RecordsError: the dataset is gone, or cannot be read.
    """
    if not wanted.listening:
        raise UnavailableError("no worker is alive that draws previews; start one (PRETEXT_EMBED_AT_ONCE is not to be false)")
    answer = asked(services, PreviewQuestion(wanted.dataset_id, wanted.spec), wanted.listening, "draw previews")
    if answer.error is not None:
        raise _refusal(answer.error["code"], answer.error["message"])
    _keep(services, wanted, answer.picture)
    return answer.picture


def _keep(services: Services, wanted: _Preview, content: bytes) -> None:
    """Store it for the next time. Not being able to is no reason not to show it.

    Raises:
        NotFoundError: the dataset was deleted meanwhile.
    """
    try:
        with services.blobs.writer(wanted.key) as blob:
            blob.write(content)
    except (DiskFullError, OSError) as error:
        logger.warning("a preview is not kept: %s", error)
    try:
        with services.database.read() as session:
            datasets.get(session, wanted.dataset_id)
    except NotFoundError:
        services.blobs.delete(f"datasets/{wanted.dataset_id}")
        raise


def _refusal(code: str, message: str) -> RecordsError:
    if code == "not_found":
        return NotFoundError(message)
    return UnavailableError(message) if code in _PASSING else ConflictError(message)
