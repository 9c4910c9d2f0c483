"""Datasets over HTTP."""

from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from api.changes import NamedChange
from api.datasets import samples, service
from api.datasets.schemas import DatasetIn, DatasetOut, ReportOut, SampleOut
from api.datasets.upload import receive
from api.errors import responses
from api.etags import ReadingDep, WritingDep
from api.labels import service as labels
from api.narrowing import METADATA, Name, NarrowDep
from api.pages import After, Limit, Page
from api.quotas import upload_bound
from api.services import ServicesDep, SessionDep
from records.database import after_commit
from records.ids import new_id
from records.queries import datasets
from ssl_core.images import moving_thumbnail, thumbnail

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Any text of your own. The same request sent again with the same key is carried out once.",
    ),
]
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": DatasetIn.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "name": {"type": "string", "maxLength": 200, "description": "Default: the name of the file."},
                        "metadata": {"type": "string", "description": 'JSON object of texts, such as `{"place": "Oslo"}`.'},
                        "kind": {
                            "type": "string",
                            "enum": ["auto", "image", "video"],
                            "default": "auto",
                            "description": "What is in it. `auto`: guessed from the content. With `video`, a folder of numbered "
                            "images is a clip.",
                        },
                        "base_dataset_id": {
                            "type": "string",
                            "maxLength": 40,
                            "description": "A dataset that has the files which the upload leaves out "
                            "(see `GET /v1/datasets/{dataset_id}/files`).",
                        },
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "A zip, tar, tar.gz or tar.zst of images or of videos, or a single one.",
                        },
                    },
                }
            },
        },
    }
}


@router.post(
    "",
    status_code=201,
    summary="Upload images or videos",
    openapi_extra=_FORM,
    responses=responses(401, 404, 409, 413, 422, 423, 507),
)
async def create_dataset(request: Request, services: ServicesDep, idempotency_key: IdempotencyKey = None) -> DatasetOut:
    """Upload an archive (zip, tar, tar.gz, tar.zst) of images or of videos, or a single one.

    Images are JPEG, PNG, WebP, BMP, TIFF or GIF; videos are MP4, MOV, WebM, MKV, AVI, animated GIF or WebP, or a folder of numbered
    frames for each.

    No labels and no class folders are needed. The answer comes once the upload is stored; a job (`job_id`) then checks every file.

    `curl -H "Authorization: Bearer $KEY" -F file=@pictures.zip http://127.0.0.1:8000/v1/datasets`

    What is large is better sent as a resumable upload (`/v1/uploads`); JSON with its `upload_id` then makes the dataset of it.
    """
    dataset_id = new_id("ds")
    settings = services.settings
    if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
        wanted = await _parsed(request)
        return DatasetOut.of(
            await anyio.to_thread.run_sync(service.create_of_upload, services, dataset_id, wanted, idempotency_key)
        )
    async with upload_bound(services) as most_bytes:
        form = await receive(
            request,
            services.blobs,
            service.upload_key(dataset_id),
            max_bytes=most_bytes,
            min_free=settings.min_free_bytes,
        )
    dataset = await anyio.to_thread.run_sync(service.create, services, dataset_id, form, idempotency_key)
    return DatasetOut.of(dataset)


async def _parsed(request: Request) -> DatasetIn:
    try:
        return DatasetIn.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError([{**mistake, "loc": ("body", *mistake["loc"])} for mistake in error.errors()]) from error


@router.get("", summary="List datasets", openapi_extra=METADATA, responses=responses(401))
def list_datasets(
    session: SessionDep,
    narrow: NarrowDep,
    limit: Limit = 20,
    after: After = None,
    state: Literal["ingesting", "ready", "failed"] | None = None,
    kind: Literal["image", "video"] | None = None,
    name: Name = None,
) -> Page[DatasetOut]:
    """The newest first. Filters that are given together all have to fit, those by metadata (`metadata[place]=Oslo`) as well."""
    found, more = datasets.page(session, limit=limit, after=after, state=state, kind=kind, name=name, narrow=narrow)
    return Page(data=[DatasetOut.of(dataset) for dataset in found], has_more=more)


@router.get("/{dataset_id}", summary="Read a dataset", responses=responses(401, 404))
def read_dataset(dataset_id: str, session: SessionDep, answer: ReadingDep) -> DatasetOut:
    """Its state, counts and labels."""
    return answer(DatasetOut.of(datasets.get(session, dataset_id)))


@router.patch("/{dataset_id}", summary="Change a dataset", responses=responses(401, 404, 412, 422))
def update_dataset(dataset_id: str, request: NamedChange, session: SessionDep, writing: WritingDep) -> DatasetOut:
    """Its name and metadata. With `If-Match`, only if nobody else has changed it since you read it."""
    dataset = datasets.locked(session, dataset_id)
    writing.check(lambda: DatasetOut.of(dataset))
    request.apply(dataset)
    session.flush()
    return writing.done(DatasetOut.of(dataset))


@router.delete("/{dataset_id}", status_code=204, summary="Delete a dataset", responses=responses(401, 404, 409, 412))
def delete_dataset(dataset_id: str, session: SessionDep, services: ServicesDep, writing: WritingDep) -> None:
    """Delete a dataset and free its bytes. Models that were trained on it stay. Refused while a job needs it."""
    writing.check(lambda: DatasetOut.of(datasets.locked(session, dataset_id)))
    datasets.delete(session, dataset_id)
    after_commit(session, lambda: services.blobs.delete(f"datasets/{dataset_id}"))


@router.get("/{dataset_id}/report", summary="What ingest found", responses=responses(401, 404, 409))
def read_report(
    dataset_id: str,
    session: SessionDep,
    services: ServicesDep,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, le=2**62, description="How many refused members to pass over.")] = 0,
) -> ReportOut:
    """Counts, sizes, formats, labels and exact duplicates, and each refused member with its reason."""
    dataset = datasets.reported(session, dataset_id)
    page = service.refused(services.blobs, dataset, after=after, limit=limit)
    return ReportOut(dataset_id=dataset.id, report=dataset.report or {}, refused=page)


@router.get(
    "/{dataset_id}/files",
    summary="List the files, so as not to send them again",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/x-ndjson": {}}, "description": "A line for each file."}, **responses(401, 404, 409)},
)
def list_files(dataset_id: str, session: SessionDep, services: ServicesDep) -> StreamingResponse:
    """Every file that is stored byte for byte as it came, a line of JSON each: `{"path", "bytes", "sha256", "sample"}`.

    A later upload need not send them again: its `base_dataset_id` names this dataset, and it is a tar whose first member is called
    `.pretext-unchanged` and has a line `{"path": "cat/1.jpg", "sample": 7, "before": 2}` for each file that is left out: its name
    in the new dataset, whatever it was called before, the sample here that has its bytes, and how many of the tar's other members
    it stands behind. A sample may be named once, and `before` never falls. The new dataset is the same as if all had been sent. It
    does not depend on this one; only while it is ingested, this one cannot be deleted. Our client and the command do all that by
    themselves.

    Not listed, and so sent again: files of which something behind the image's end was left out, frames of clips, and all files of
    datasets that are older than this call.
    """
    dataset = datasets.ready(session, dataset_id)
    headers = {"Cache-Control": "private, no-cache"}
    return StreamingResponse(service.files(services.blobs, dataset), media_type="text/x-ndjson", headers=headers)


@router.get("/{dataset_id}/samples", summary="List the samples", responses=responses(401, 404, 409))
def list_samples(
    dataset_id: str,
    session: SessionDep,
    services: ServicesDep,
    limit: Limit = 20,
    after: Annotated[int, Query(ge=-1, description="Index of the last sample that was seen.")] = -1,
) -> Page[SampleOut]:
    """The images or videos in the order of the archive, each with the address of a thumbnail."""
    dataset = datasets.ready(session, dataset_id)
    rows = samples.describe(services.blobs, dataset, start=after + 1, count=limit + 1)
    shown = labels.of_samples(services.blobs, dataset, rows[:limit], after + 1)
    found = [
        SampleOut(
            index=index,
            path=row["path"],
            width=row["width"],
            height=row["height"],
            frames=row.get("frames"),
            seconds=round(row["frames"] / row["rate"], 3) if row.get("rate") else None,
            label=row["label"],
            split=row["split"],
            thumbnail_url=f"/v1/datasets/{dataset.id}/samples/{index}/thumbnail",
        )
        for index, row in enumerate(shown, start=after + 1)
    ]
    return Page(data=found, has_more=len(rows) > limit)


@router.get(
    "/{dataset_id}/samples/{index}/thumbnail",
    summary="See a sample",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}, "image/png": {}}}, **responses(401, 404, 409)},
)
def read_thumbnail(
    dataset_id: str,
    index: Annotated[int, Path(ge=0, le=2**62, description="Place of the image in the dataset, from 0.")],
    session: SessionDep,
    services: ServicesDep,
    size: Annotated[int, Query(ge=16, le=512, description="Longest side, in pixels.")] = 128,
    format: Literal["webp", "png"] = "webp",  # noqa: A002  the query parameter's natural name
) -> Response:
    """A small picture of one image, encoded anew: nothing of the uploaded file's bytes is in it.

    Of a video, a few of its frames: moving as WebP, the first one as PNG.
    """
    dataset = datasets.ready(session, dataset_id)
    shown = samples.picture_bytes(services.blobs, dataset, index)
    moves = dataset.kind == "video" and format == "webp"
    content = moving_thumbnail(shown, size) if moves else thumbnail(shown, size, format)
    return Response(content, media_type=f"image/{format}", headers={"Cache-Control": "private, max-age=86400, immutable"})
