"""Evaluations over HTTP."""

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from api.errors import responses
from api.etags import IfNoneMatch
from api.evaluations.schemas import EvaluationListed, EvaluationOut
from api.files import RESPONSES, file_answer
from api.pages import After, Limit, Page
from api.services import ServicesDep, SessionDep
from records.database import after_commit
from records.queries import evaluations

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"])


@router.get("", summary="List evaluations", responses=responses(401))
def list_evaluations(
    session: SessionDep, limit: Limit = 20, after: After = None, model_id: str | None = None, dataset_id: str | None = None
) -> Page[EvaluationListed]:
    """The newest first, without their reports."""
    found, more = evaluations.page(session, limit=limit, after=after, model_id=model_id, dataset_id=dataset_id)
    return Page(data=[EvaluationListed.of(evaluation) for evaluation in found], has_more=more)


@router.get("/{evaluation_id}", summary="Read an evaluation", responses=responses(401, 404))
def read_evaluation(evaluation_id: str, session: SessionDep) -> EvaluationOut:
    """The report of an evaluate job: how many labels the encoder saves, in a sentence, in figures with intervals, in pictures.

    `curl -H "Authorization: Bearer $KEY" http://127.0.0.1:8000/v1/evaluations/eval_…`
    """
    return EvaluationOut.of(evaluations.get(session, evaluation_id))


@router.delete("/{evaluation_id}", status_code=204, summary="Delete an evaluation", responses=responses(401, 404))
def delete_evaluation(evaluation_id: str, session: SessionDep, services: ServicesDep) -> None:
    """Delete a report and free its bytes. The model stays."""
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
