"""Labels of a dataset over HTTP."""

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from python_multipart.multipart import parse_options_header

from api.datasets.upload import check_room, receive
from api.errors import responses
from api.labels import service
from api.labels.schemas import LabelsOut
from api.services import Services, ServicesDep, SessionDep
from records.errors import InvalidError, TooLargeError
from records.queries import datasets
from ssl_core.labels.given import Mode

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

_TABLE = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string", "example": "file,label,split\ncat/1.jpg,cat,train\n"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": "The CSV file."}},
                }
            },
        },
    }
}


@router.put(
    "/{dataset_id}/labels",
    summary="Give a dataset labels",
    openapi_extra=_TABLE,
    responses=responses(401, 404, 409, 413, 422, 507),
)
async def put_labels(
    dataset_id: str,
    request: Request,
    services: ServicesDep,
    mode: Annotated[
        Mode,
        Query(
            description="`replace`: the dataset has these labels alone. `merge`: files that the table does not name keep what they "
            "have, and an empty label takes one away."
        ),
    ] = "replace",
    dry_run: Annotated[bool, Query(description="Only tell what would come of it.")] = False,
) -> LabelsOut:
    """Give the files of a dataset labels by a table, and learn what of it does not fit. Nothing changes if none of it fits.

    The table is CSV in UTF-8 with the columns `file`, `label` and, if you like, `split` (train, validation or test), separated by
    commas, semicolons or tabs; without a header they stand in this order. A file is named by its path in the upload, by an end of
    it that no other file has (`1.jpg`, `cat/1.jpg`), or by a longer path that ends with it. An empty label is none. Without a
    column `split`, splits stay as the upload's folders say.

    Evaluations that have begun keep the labels that they began with. Decoded pixels and models do not depend on labels.

    `curl -X PUT -H "Authorization: Bearer $KEY" -F file=@labels.csv http://127.0.0.1:8000/v1/datasets/ds_…/labels`
    """
    await anyio.to_thread.run_sync(_must_be_ready, services, dataset_id)
    key = service.table_key(dataset_id)
    try:
        await _receive(request, services, key)
    except TooLargeError as error:
        told = f"a table of labels may have up to {service.MAX_BYTES:,} bytes; it holds names and labels, not the images themselves"
        raise TooLargeError(told, param="file") from error
    return await anyio.to_thread.run_sync(lambda: service.put(services, dataset_id, key, mode, dry_run=dry_run))


def _must_be_ready(services: Services, dataset_id: str) -> None:
    with services.database.read() as session:
        datasets.ready(session, dataset_id)


async def _receive(request: Request, services: Services, key: str) -> None:
    """Receive a table as a form's `file`, or as the body itself, into a blob."""
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    most, free = service.MAX_BYTES, services.settings.min_free_bytes
    if kind != b"text/csv":
        await receive(request, services.blobs, key, max_bytes=most, min_free=free, example="labels.csv")
        return
    announced = int(request.headers.get("content-length") or 0)
    if announced > most:
        raise TooLargeError
    check_room(services.blobs, announced, min_free=free)
    with services.blobs.writer(key) as writer:
        async for chunk in request.stream():
            await anyio.to_thread.run_sync(writer.write, chunk)
            if writer.size > most:
                raise TooLargeError
        if writer.size == 0:
            raise InvalidError("the body is empty; send the table of labels", param="file")


@router.get(
    "/{dataset_id}/labels",
    summary="Read the labels",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}, "description": "The table."}, **responses(401, 404, 409)},
)
def read_labels(dataset_id: str, session: SessionDep, services: ServicesDep) -> StreamingResponse:
    """All files with their labels and splits as they are now, as CSV; empty where there is none, so it is a form to fill in too."""
    dataset = datasets.ready(session, dataset_id)
    headers = {"Content-Disposition": f'attachment; filename="{dataset.id}-labels.csv"', "Cache-Control": "private, no-cache"}
    return StreamingResponse(service.as_csv(services.blobs, dataset), media_type="text/csv", headers=headers)


@router.delete("/{dataset_id}/labels", status_code=204, summary="Take labels away", responses=responses(401, 404, 409))
def delete_labels(dataset_id: str, services: ServicesDep) -> None:
    """Take away the labels that were given by a table. Those of the upload's class folders, if it had any, are there again."""
    service.remove(services, dataset_id)
