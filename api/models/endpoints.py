"""Models over HTTP."""

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from api.datasets.endpoints import IdempotencyKey
from api.datasets.upload import receive
from api.errors import responses
from api.etags import IfNoneMatch
from api.files import RESPONSES, file_answer
from api.models import service
from api.models.schemas import ModelOut
from api.pages import After, Limit, Page
from api.quotas import upload_bound
from api.services import ServicesDep, SessionDep
from records.database import after_commit
from records.ids import new_id
from records.queries import models
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


@router.get("", summary="List models", responses=responses(401))
def list_models(
    session: SessionDep, limit: Limit = 20, after: After = None, dataset_id: str | None = None, task: str | None = None
) -> Page[ModelOut]:
    """The newest first."""
    found, more = models.page(session, limit=limit, after=after, dataset_id=dataset_id, task=task)
    return Page(data=[ModelOut.of(model) for model in found], has_more=more)


@router.get("/{model_id}", summary="Read a model", responses=responses(401, 404))
def read_model(model_id: str, session: SessionDep) -> ModelOut:
    """What it is, how it was trained, and its files."""
    return ModelOut.of(models.get(session, model_id))


@router.delete("/{model_id}", status_code=204, summary="Delete a model", responses=responses(401, 404, 409))
def delete_model(model_id: str, session: SessionDep, services: ServicesDep) -> None:
    """Delete a model and free its bytes. Refused while a job that has not ended starts from it (`init_from`)."""
    models.delete(session, model_id)
    after_commit(session, lambda: services.blobs.delete(service.prefix_of(model_id)))


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
