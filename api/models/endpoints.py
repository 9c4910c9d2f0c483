"""Models over HTTP."""

import base64
import mimetypes

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from api.errors import responses
from api.etags import IfNoneMatch, is_there
from api.models.schemas import ModelOut
from api.pages import After, Limit, Page
from api.services import ServicesDep, SessionDep
from records.queries import models

router = APIRouter(prefix="/v1/models", tags=["models"])


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


@router.head("/{model_id}/files/{name}", include_in_schema=False)
@router.get(
    "/{model_id}/files/{name}",
    summary="Download a file of a model",
    response_class=FileResponse,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The file; its SHA-256 is in `ETag` and `Repr-Digest`."},
        206: {"description": "The part that `Range` asked for."},
        304: {"description": "The file is the one that `If-None-Match` names."},
        **responses(401, 404),
    },
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
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",
        "Cache-Control": "private, immutable, max-age=31536000",
    }
    if is_there(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(services.blobs.path(file.key), media_type=kind, filename=name, headers=headers)
