"""Pictures of trainings over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from api.errors import responses
from api.etags import IfNoneMatch, is_there
from api.jobs.schemas import PictureOut
from api.pages import Page
from api.services import Services, ServicesDep, SessionDep
from records.errors import NotFoundError
from records.models import JobPicture
from records.queries import jobs, pictures
from records.states import JobState

router = APIRouter(prefix="/v1/jobs/{job_id}/pictures", tags=["jobs"])

Epoch = Annotated[int, Path(ge=0, le=2**31 - 1, description="Pass over the dataset, from 1; 0 is before the training.")]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"image/png": {}, "image/webp": {}},
        "description": "The picture: a PNG, or an animated WebP of a training with clips; its SHA-256 is the `ETag`.",
    },
    304: {"description": "The picture is the one that `If-None-Match` names."},
    **responses(401, 404),
}


@router.get("", summary="List the pictures of a training", responses=responses(401, 404))
def list_pictures(
    job_id: str,
    session: SessionDep,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many to list at most.")] = 100,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="Epoch of the last picture that was seen.")] = -1,
) -> Page[PictureOut]:
    """How the training did at the end of each epoch, the oldest first. They stay when the job has ended, however it ends."""
    jobs.get(session, job_id)
    found, more = pictures.page(session, job_id, after=after, limit=limit)
    return Page(data=[PictureOut.of(picture) for picture in found], has_more=more)


@router.head("/latest", include_in_schema=False)
@router.get("/latest", summary="See the newest picture of a training", response_class=Response, responses=_FILE)
def read_latest_picture(job_id: str, session: SessionDep, services: ServicesDep, if_none_match: IfNoneMatch = None) -> Response:
    """The picture of the last epoch that has one. `Content-Location` tells which."""
    picture = pictures.newest(session, job_id)
    answer = _answer(services, picture, if_none_match, lasting=False)
    answer.headers["Content-Location"] = PictureOut.of(picture).url
    return answer


@router.head("/{epoch}", include_in_schema=False)
@router.get("/{epoch}", summary="See a picture of a training", response_class=Response, responses=_FILE)
def read_picture(
    job_id: str, epoch: Epoch, session: SessionDep, services: ServicesDep, if_none_match: IfNoneMatch = None
) -> Response:
    """The picture of one epoch. It is final once the job has succeeded: before, a training that is resumed may draw it anew."""
    picture = pictures.get(session, job_id, epoch)
    return _answer(services, picture, if_none_match, lasting=jobs.get(session, job_id).state == JobState.SUCCEEDED)


def _answer(services: Services, picture: JobPicture, if_none_match: str | None, *, lasting: bool) -> Response:
    etag = f'"{picture.sha256}"'
    format_ = picture.format
    headers = {
        "ETag": etag,
        "Cache-Control": "private, immutable, max-age=31536000" if lasting else "private, no-cache",
        "Content-Disposition": f'inline; filename="{picture.job_id}-epoch-{picture.epoch:06}.{format_}"',
    }
    if is_there(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    try:
        content = services.blobs.path(picture.key).read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            f"the picture of epoch {picture.epoch} is not there: it is being drawn anew, or was deleted; ask again shortly"
        ) from None
    return Response(content, media_type=f"image/{format_}", headers=headers)
