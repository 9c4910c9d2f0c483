"""Embedding a few images at once. No torch here: a worker is asked, by the broker."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.errors import responses
from api.jobs.service import looks_at_clips
from api.pages import Resource
from api.services import Services, ServicesDep
from records.errors import InvalidError, RecordsError, TooLargeError, UnavailableError
from records.queries import models, workers
from records.questions import MOST_BYTES, MOST_IMAGES, Answer, BrokerAwayError, PreviewQuestion, Question, TooManyError

router = APIRouter(prefix="/v1/models", tags=["models"])

_MOST_AT_ONCE = 32
"""Requests that one process of the API lets wait for workers; each may hold `MOST_BYTES` of images."""
_MOST_FORM = MOST_BYTES + (1 << 20)
_SHOWN = 5
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "maxItems": MOST_IMAGES,
                            "items": {"type": "string", "format": "binary"},
                            "description": f"The images, each a part `file`; up to {MOST_IMAGES}, {MOST_BYTES >> 20} MiB in all.",
                        },
                        "stage": {"type": "string", "description": "After which stage of the encoder. Default: its own features."},
                        "normalize": {"type": "boolean", "default": False, "description": "Scale each embedding to length 1."},
                    },
                }
            }
        },
    }
}


class BadImageError(InvalidError):
    """An image cannot be used."""

    code = "bad_image"


class NotEmbeddedError(InvalidError):
    """The model cannot embed this."""

    code = "not_embedded"


class OneEmbedding(Resource):
    """The embedding of one image."""

    object: Literal["embedding"] = "embedding"
    """Always `embedding`."""
    index: int
    """Place of the image in the request, from 0."""
    embedding: list[float]
    """Its features."""


class EmbeddedOut(Resource):
    """The embeddings of a few images, in the order of the request."""

    object: Literal["list"] = "list"
    """Always `list`."""
    model_id: str
    """The model whose encoder made them."""
    features: int = Field(examples=[512])
    """Numbers in each."""
    stage: str | None
    """After which stage of the encoder; null: its own features."""
    normalized: bool
    """Whether each is of length 1."""
    data: list[OneEmbedding]
    """One for each image."""


class _Fields(BaseModel):
    stage: Annotated[str, Field(max_length=100)] | None = None
    normalize: bool = False


class _Form(_Fields):
    images: list[bytes]
    names: list[str]


class _Parser(MultiPartParser):
    spool_max_size = _MOST_FORM  # in memory: nothing of what is answered at once goes to a disk


class Waiting:
    """How many requests of a kind wait for a worker in this process.

    Args:
        what: they are called, for people.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.limiter = anyio.CapacityLimiter(_MOST_AT_ONCE)
        self._count = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among them. On the event loop alone.

        Raises:
            UnavailableError: there is none.
        """
        if self._count >= _MOST_AT_ONCE:
            raise UnavailableError(f"{_MOST_AT_ONCE} requests wait {self._what} already; try again in a moment")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1


@router.post(
    "/{model_id}/embed",
    summary="Embed a few images at once",
    openapi_extra=_FORM,
    responses=responses(401, 404, 413, 422, 503),
)
async def embed_images(model_id: str, request: Request, services: ServicesDep) -> EmbeddedOut:
    """The embeddings of up to 64 images, in the answer. What many images need is a job of the kind `embed`.

    A worker keeps the model in memory: the first request to it takes seconds, those that follow take what the network takes. An
    image is prepared exactly as those of a dataset are, so its embedding is the same as in a job's files.

    `curl -H "Authorization: Bearer $KEY" -F file=@cat.jpg -F file=@dog.jpg http://127.0.0.1:8000/v1/models/model_…/embed`
    """
    waiting: Waiting = request.app.state.waiting_to_embed
    with waiting.place():
        form = await _received(request)
        return await anyio.to_thread.run_sync(_embedded, services, model_id, form, limiter=waiting.limiter)


async def _received(request: Request) -> _Form:
    """The form of a request, in memory.

    Raises:
        InvalidError: it is no form, or has no images, or too many.
        TooLargeError: it is too large.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidError("send the images as multipart/form-data with parts `file`: curl -F file=@cat.jpg", param="file")
    if int(request.headers.get("content-length") or 0) > _MOST_FORM:
        raise _too_large()
    try:
        form = await _Parser(request.headers, _bounded(request), max_files=MOST_IMAGES, max_fields=8, max_part_size=1000).parse()
        files = [part for name, part in form.multi_items() if name == "file" and isinstance(part, UploadFile)]
        images = [await part.read() for part in files]
        await form.close()
        fields = _Fields.model_validate({name: form[name] for name in _Fields.model_fields if form.get(name)})
    except MultiPartException as error:
        many = f"{MOST_IMAGES} images are taken at once, and any number by a job of the kind `embed`"
        told = many if "many files" in error.message else f"the form cannot be read: {error.message.rstrip('.')}"
        raise InvalidError(told, param="file") from error
    except ValidationError as error:
        found = error.errors()[0]
        raise InvalidError(f"{found['loc'][0]}: {found['msg']}, not {found['input']!r:.80}", param=str(found["loc"][0])) from error
    if not images:
        raise InvalidError("the form has no part `file` with an image in it: curl -F file=@cat.jpg", param="file")
    if sum(map(len, images)) > MOST_BYTES:
        raise _too_large()
    return _Form(images=images, names=[part.filename or "" for part in files], **fields.model_dump())


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _MOST_FORM:
            raise _too_large()
        yield chunk


def _too_large() -> TooLargeError:
    return TooLargeError(
        f"{MOST_BYTES >> 20} MiB of images are embedded at once; send fewer, or upload them as a dataset and queue a job of the "
        "kind `embed`",
        param="file",
    )


def _embedded(services: Services, model_id: str, form: _Form) -> EmbeddedOut:
    with services.database.read() as session:
        model = models.get(session, model_id)
        model_id = model.id
        if looks_at_clips(model):
            raise NotEmbeddedError("the encoder is of videos; upload them as a dataset and queue a job of the kind `embed`")
        listening = workers.embedding(session)
    if not listening:
        raise UnavailableError(
            "no worker is alive that embeds images at once; start one (PRETEXT_EMBED_AT_ONCE is not to be false)"
        )
    answer = asked(services, Question(model_id, form.stage, form.normalize, tuple(form.images)), listening, "embed images")
    _refuse(answer, form)
    rows = memoryview(answer.vectors).cast("f").tolist()
    width = answer.features
    data = [OneEmbedding(index=row, embedding=rows[row * width : (row + 1) * width]) for row in range(len(form.images))]
    return EmbeddedOut(model_id=model_id, features=width, stage=form.stage, normalized=form.normalize, data=data)


def asked(services: Services, question: Question | PreviewQuestion, listening: int, what_for: str) -> Answer:
    """What a worker answers.

    Args:
        services: of the application.
        question: what is asked.
        listening: workers that are alive for it.
        what_for: what they are to do, for people.

    Raises:
        UnavailableError: none does.
    """
    seconds = services.settings.embed_seconds
    try:
        answer = services.questions.ask(question, seconds)
    except BrokerAwayError as error:
        raise UnavailableError("the queue to the workers does not answer; try again in a moment") from error
    except TooManyError as error:
        raise UnavailableError(f"too many requests to {what_for} wait already; try again in a moment") from error
    if answer is None:
        workers_ = f"{listening} worker{' is' if listening == 1 else 's are'}"
        raise UnavailableError(
            f"no worker has answered within {seconds:g} s, though {workers_} alive to {what_for}; try again in a moment"
        )
    return answer


def _refuse(answer: Answer, form: _Form) -> None:
    if answer.bad:
        told = [f"image {number} ({form.names[number] or 'unnamed'}): {reason}" for number, reason in sorted(answer.bad.items())]
        more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        raise BadImageError("; ".join(told[:_SHOWN]) + more, param=f"file.{min(answer.bad)}")
    if answer.error is not None:
        raise _refusal(answer.error["code"], answer.error["message"])


def _refusal(code: str, message: str) -> RecordsError:
    if code in {"embedder_crashed", "unavailable", "storage_failed"}:
        return UnavailableError(message)
    return NotEmbeddedError(message, param="stage" if code == "unknown_stage" else None)
