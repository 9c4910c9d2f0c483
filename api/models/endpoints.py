"""Models over HTTP."""

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from api.changes import NamedChange
from api.datasets.endpoints import IdempotencyKey
from api.datasets.upload import receive
from api.errors import responses
from api.etags import IfNoneMatch, ReadingDep, WritingDep
from api.files import RESPONSES, file_answer
from api.models import service
from api.models.schemas import ModelOut
from api.narrowing import METADATA, Id, ModelRef, Name, NarrowDep
from api.pages import After, Limit, Page
from api.quotas import upload_bound
from api.services import ServicesDep, SessionDep
from records.database import after_commit
from records.ids import new_id
from records.queries import aliases, models
from ssl_core.spec import ENCODERS

router = APIRouter(prefix="/v1/models", tags=["models"])


_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "encoder", "image_size"],
                    "properties": {
                        "name": {
                            "type": "string",
                            "maxLength": 200,
                            "description": "Default: made of the encoder and the file's name.",
                        },
                        "encoder": {
                            "type": "string",
                            "enum": list(ENCODERS),
                            "description": "The network; `GET /v1/encoders` lists them.",
                        },
                        "stem": {
                            "type": "string",
                            "enum": ["standard", "small"],
                            "default": "standard",
                            "description": "Its first layers: `standard` is torchvision's own, `small` the one for small images.",
                        },
                        "image_size": {"type": "integer", "description": "Side of the images that it was trained on, in pixels."},
                        "metadata": {"type": "string", "description": 'JSON object of texts, such as `{"place": "Oslo"}`.'},
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "Safetensors with weights under torchvision's key names; a classifier's are ignored.",
                        },
                    },
                }
            }
        },
    }
}


@router.post("", status_code=201, summary="Upload an encoder", openapi_extra=_FORM, responses=responses(401, 413, 422, 507))
async def create_model(
    request: Request, response: Response, services: ServicesDep, idempotency_key: IdempotencyKey = None
) -> ModelOut:
    """Upload weights of your own, to start trainings from them (`init_from`). Its `task` is `imported`, and it has no job.

    `curl -H "Authorization: Bearer $KEY" -F encoder=resnet18 -F stem=standard -F image_size=224 -F file=@encoder.safetensors
    http://127.0.0.1:8000/v1/models`
    """
    model_id = new_id("model")
    settings = services.settings
    async with upload_bound(services) as most_bytes:
        form = await receive(
            request,
            services.blobs,
            service.weights_key(model_id),
            max_bytes=most_bytes,
            min_free=settings.min_free_bytes,
            example="encoder.safetensors",
        )
    model = await anyio.to_thread.run_sync(service.create, services, model_id, form, idempotency_key)
    response.headers["Location"] = f"/v1/models/{model.id}"
    return ModelOut.of(model)


@router.get("", summary="List models", openapi_extra=METADATA, responses=responses(401))
def list_models(
    session: SessionDep,
    narrow: NarrowDep,
    limit: Limit = 20,
    after: After = None,
    dataset_id: Id = None,
    task: Annotated[str | None, Query(max_length=40, description="Only those by this pretext task; `imported`: uploaded.")] = None,
    name: Name = None,
    made_from: ModelRef = None,
) -> Page[ModelOut]:
    """The newest first. Filters that are given together all have to fit, those by metadata (`metadata[team]=birds`) as well."""
    source = None if made_from is None else aliases.resolve(session, made_from)
    found, more = models.page(
        session, limit=limit, after=after, dataset_id=dataset_id, task=task, name=name, made_from=source, narrow=narrow
    )
    return Page(data=[ModelOut.of(model) for model in found], has_more=more)


@router.get("/{model_id}", summary="Read a model", responses=responses(401, 404))
def read_model(model_id: str, session: SessionDep, answer: ReadingDep) -> ModelOut:
    """What it is, how it was trained, and its files. By its id or an alias."""
    return answer(ModelOut.of(models.get(session, model_id)))


@router.patch("/{model_id}", summary="Change a model", responses=responses(401, 404, 412, 422))
def update_model(model_id: str, request: NamedChange, session: SessionDep, writing: WritingDep) -> ModelOut:
    """Its name and metadata. With `If-Match`, only if nobody else has changed it since you read it."""
    model = models.locked(session, model_id)
    writing.check(lambda: ModelOut.of(model))
    request.apply(model)
    session.flush()
    return writing.done(ModelOut.of(model))


@router.delete("/{model_id}", status_code=204, summary="Delete a model", responses=responses(401, 404, 409, 412))
def delete_model(model_id: str, session: SessionDep, services: ServicesDep, writing: WritingDep) -> None:
    """Delete a model and free its bytes.

    Refused while a job that has not ended needs it (starts from it, evaluates it, compares with it, embeds by it, exports it), and
    while an alias stands for it.
    """
    writing.check(lambda: ModelOut.of(models.locked(session, model_id)))
    deleted = models.delete(session, model_id)
    after_commit(session, lambda: services.blobs.delete(service.prefix_of(deleted)))


@router.head("/{model_id}/files/{name}", include_in_schema=False)
@router.get(
    "/{model_id}/files/{name}",
    summary="Download a file of a model",
    response_class=FileResponse,
    responses=RESPONSES,
)
def download_file(
    model_id: str,
    name: str,
    session: SessionDep,
    services: ServicesDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The file, or a part of it: a download that was cut off goes on with `Range` and `If-Range`."""
    file = models.file(session, model_id, name)
    fixed = name not in models.REWRITTEN
    return file_answer(services.blobs, name=name, key=file.key, sha256=file.sha256, if_none_match=if_none_match, fixed=fixed)
