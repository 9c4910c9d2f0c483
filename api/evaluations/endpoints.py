"""Evaluations over HTTP."""

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from api.changes import Change
from api.errors import responses
from api.etags import IfNoneMatch, ReadingDep, WritingDep
from api.evaluations.schemas import EvaluationListed, EvaluationOut
from api.files import RESPONSES, file_answer
from api.narrowing import METADATA, Id, ModelRef, NarrowDep
from api.pages import After, Limit, Page
from api.services import ServicesDep, SessionDep
from records.database import after_commit
from records.queries import aliases, evaluations

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"])


@router.get("", summary="List evaluations", openapi_extra=METADATA, responses=responses(401))
def list_evaluations(
    session: SessionDep, narrow: NarrowDep, limit: Limit = 20, after: After = None, model_id: ModelRef = None, dataset_id: Id = None
) -> Page[EvaluationListed]:
    """The newest first, without their reports. Filters that are given together all have to fit."""
    model = None if model_id is None else aliases.resolve(session, model_id)
    found, more = evaluations.page(session, limit=limit, after=after, model_id=model, dataset_id=dataset_id, narrow=narrow)
    return Page(data=[EvaluationListed.of(evaluation) for evaluation in found], has_more=more)


@router.get("/{evaluation_id}", summary="Read an evaluation", responses=responses(401, 404))
def read_evaluation(evaluation_id: str, session: SessionDep, answer: ReadingDep) -> EvaluationOut:
    """The report of an evaluate job: how many labels the encoder saves, in a sentence, in figures with intervals, in pictures.

    `curl -H "Authorization: Bearer $KEY" http://127.0.0.1:8000/v1/evaluations/eval_…`
    """
    return answer(EvaluationOut.of(evaluations.get(session, evaluation_id)))


@router.patch("/{evaluation_id}", summary="Change an evaluation", responses=responses(401, 404, 412, 422))
def update_evaluation(evaluation_id: str, request: Change, session: SessionDep, writing: WritingDep) -> EvaluationOut:
    """Its metadata. With `If-Match`, only if nobody else has changed it since you read it."""
    evaluation = evaluations.locked(session, evaluation_id)
    writing.check(lambda: EvaluationOut.of(evaluation))
    request.apply(evaluation)
    session.flush()
    return writing.done(EvaluationOut.of(evaluation))


@router.delete("/{evaluation_id}", status_code=204, summary="Delete an evaluation", responses=responses(401, 404, 412))
def delete_evaluation(evaluation_id: str, session: SessionDep, services: ServicesDep, writing: WritingDep) -> None:
    """Delete a report and free its bytes. The model stays."""
    writing.check(lambda: EvaluationOut.of(evaluations.locked(session, evaluation_id)))
    evaluations.delete(session, evaluation_id)
    after_commit(session, lambda: services.blobs.delete(f"evaluations/{evaluation_id}"))


@router.head("/{evaluation_id}/files/{name}", include_in_schema=False)
@router.get(
    "/{evaluation_id}/files/{name}",
    summary="Download a file of an evaluation",
    response_class=FileResponse,
    responses=RESPONSES,
)
def download_evaluation_file(
    evaluation_id: str, name: str, session: SessionDep, services: ServicesDep, if_none_match: IfNoneMatch = None
) -> Response:
    """`report.json`, or a picture as PNG or SVG."""
    file = evaluations.file(session, evaluation_id, name)
    return file_answer(services.blobs, name=name, key=file["key"], sha256=file["sha256"], if_none_match=if_none_match)
