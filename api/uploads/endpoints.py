"""Resumable uploads over HTTP, by the protocol tus 1.0.0."""

from collections.abc import Mapping
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from api.changes import Change
from api.errors import responses
from api.etags import IfMatch, ReadingDep, Writing, WritingDep
from api.metadata import parsed
from api.narrowing import METADATA, NarrowDep
from api.pages import After, Limit, Page
from api.services import Services, ServicesDep, SessionDep
from api.uploads import service, wire
from api.uploads.receive import receive
from api.uploads.schemas import UploadOut
from records.models import Upload
from records.queries import uploads

router = APIRouter(prefix=wire.PATH, tags=["uploads"])

_TUS = [Depends(wire.need_version)]
TusResumable = Annotated[str | None, Header(description="Has to be `1.0.0`.")]
UploadLength = Annotated[str | None, Header(description="Bytes of the whole file.")]
UploadOffset = Annotated[str | None, Header(description="Bytes that are here already.")]
UploadMetadata = Annotated[
    str | None,
    Header(description="`filename` and the file's name in base 64: `filename cGljdHVyZXMuemlw`. `metadata`: your notes, as JSON."),
]
UploadChecksum = Annotated[
    str | None, Header(description="Of this part: `sha256` (`sha1`, `md5`, `crc32`) and the sum in base 64.")
]
_BODY: dict[str, Any] = {
    "requestBody": {"content": {wire.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary", "description": "The bytes."}}}}
}


@router.options("", status_code=204, summary="What the server can do", responses=responses(401))
@router.options("/{upload_id}", status_code=204, include_in_schema=False)
def describe(services: ServicesDep) -> Response:
    """The version of the protocol, its extensions and the largest upload, in headers."""
    headers = {
        "Tus-Version": wire.VERSION,
        "Tus-Extension": wire.EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(wire.ALGORITHMS),
        "Tus-Max-Size": str(services.settings.max_upload_bytes),
    }
    return Response(status_code=204, headers=headers)


@router.post(
    "",
    status_code=201,
    summary="Announce an upload",
    openapi_extra=_BODY,
    dependencies=_TUS,
    responses=responses(400, 401, 412, 413, 429, 460, 507),
)
async def create_upload(
    request: Request,
    services: ServicesDep,
    tus_resumable: TusResumable = None,  # noqa: ARG001  for the API's description; these are read from the request
    upload_length: UploadLength = None,  # noqa: ARG001
    upload_metadata: UploadMetadata = None,
    upload_checksum: UploadChecksum = None,  # noqa: ARG001
) -> Response:
    """Say that a file will come, in as many parts as it takes; the answer's `Location` is where they go.

    The first part may come along. Any client of the tus protocol can send it. `POST /v1/datasets` with the upload's id then
    makes a dataset of it.
    """
    if request.headers.get("upload-defer-length") is not None:
        raise wire.HeaderError("this server has to know the length of a file before it comes: send Upload-Length")
    size, meta = wire.number(request.headers, "upload-length"), upload_metadata or ""
    pairs = wire.pairs_in(meta)
    filename, notes = wire.filename_in(pairs), parsed(pairs.get("metadata"))
    upload = await anyio.to_thread.run_sync(lambda: service.create(services, filename=filename, size=size, meta=meta, notes=notes))
    offset = 0
    if request.headers.get("content-type") == wire.CONTENT_TYPE:
        try:
            upload, offset = await receive(request, services, upload.id, 0)
        except Exception:
            # Nobody knows yet where it is, so nobody could go on with it.
            await anyio.to_thread.run_sync(service.delete, services, upload.id)
            raise
    return Response(status_code=201, headers={"Location": f"{wire.PATH}/{upload.id}", **_about(upload, offset)})


@router.head("/{upload_id}", include_in_schema=False, dependencies=_TUS)
def read_offset(upload_id: str, services: ServicesDep) -> Response:
    """How much of an upload is here."""
    with services.database.read() as session:
        upload = uploads.live(session, upload_id)
    offset = service.offset_of(services, upload)
    headers = {"Upload-Length": str(upload.bytes), "Cache-Control": "no-store", **_about(upload, offset)}
    return Response(headers=headers | ({"Upload-Metadata": upload.meta} if upload.meta else {}))


@router.patch(
    "/{upload_id}",
    status_code=204,
    summary="Send a part of an upload, or change its metadata",
    openapi_extra=_BODY,
    dependencies=_TUS,
    responses=responses(400, 401, 404, 409, 410, 412, 413, 415, 423, 460, 507),
)
async def append(
    upload_id: str,
    request: Request,
    services: ServicesDep,
    tus_resumable: TusResumable = None,  # noqa: ARG001  for the API's description; these are read from the request
    upload_offset: UploadOffset = None,  # noqa: ARG001
    upload_checksum: UploadChecksum = None,  # noqa: ARG001
    if_match: IfMatch = None,
) -> Response:
    """Go on with an upload where it ends.

    What has come stays when the connection breaks; of a part with a checksum, all or nothing. How much is here is in
    `Upload-Offset` of the answer, and of the answer to a `HEAD` at any time.

    As JSON, `{"metadata": {…}}` changes the upload's notes, and is answered with 200 and the upload.
    """
    if wire.is_json(request):
        return await _changed(request, services, upload_id, if_match)
    if request.headers.get("content-type") != wire.CONTENT_TYPE:
        raise wire.MediaTypeError
    upload, offset = await receive(request, services, upload_id, wire.number(request.headers, "upload-offset"))
    return Response(status_code=204, headers=_about(upload, offset))


@router.delete(
    "/{upload_id}",
    status_code=204,
    summary="Throw an upload away",
    dependencies=_TUS,
    responses=responses(401, 404, 409, 410, 412, 423),
)
def delete_upload(
    upload_id: str,
    services: ServicesDep,
    writing: WritingDep,
    tus_resumable: TusResumable = None,  # noqa: ARG001
) -> None:
    """Throw an upload and its bytes away, finished or not. A dataset that was made of it stays."""
    with services.database.write() as session:
        writing.check(lambda: _shown(services, uploads.locked(session, upload_id)))
    service.delete(services, upload_id)


@router.get("", summary="List unfinished uploads", openapi_extra=METADATA, responses=responses(401))
def list_uploads(
    session: SessionDep, services: ServicesDep, narrow: NarrowDep, limit: Limit = 20, after: After = None
) -> Page[UploadOut]:
    """Those that no dataset was made of yet, the newest first."""
    found, more = uploads.page(session, limit=limit, after=after, narrow=narrow)
    return Page(data=[_shown(services, upload) for upload in found], has_more=more)


@router.get("/{upload_id}", summary="Read an upload", responses=responses(401, 404))
def read_upload(upload_id: str, session: SessionDep, services: ServicesDep, answer: ReadingDep) -> UploadOut:
    """How much of it is here, and what became of it."""
    return answer(_shown(services, uploads.get(session, upload_id)))


async def _changed(request: Request, services: Services, upload_id: str, if_match: str | None) -> Response:
    """Change the record of an upload; the bytes are another matter."""
    try:
        change = Change.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError([{**mistake, "loc": ("body", *mistake["loc"])} for mistake in error.errors()]) from error

    def change_it() -> Response:
        response = JSONResponse({})
        writing = Writing(response, if_match)
        with services.database.write() as session:
            upload = uploads.locked(session, upload_id)
            writing.check(lambda: _shown(services, upload))
            change.apply(upload)
            session.flush()
            shown = writing.done(_shown(services, upload))
        return JSONResponse(shown.model_dump(mode="json"), headers={"ETag": response.headers["ETag"]})

    return await anyio.to_thread.run_sync(change_it)


def _shown(services: Services, upload: Upload) -> UploadOut:
    return UploadOut.of(upload, service.offset_of(services, upload))


def _about(upload: Upload, offset: int) -> Mapping[str, str]:
    return {"Upload-Offset": str(offset), "Upload-Expires": wire.http_date(upload.expires_at)}
