"""Embeddings of datasets over HTTP."""

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from api.changes import Change
from api.embeddings.schemas import EmbeddingOut
from api.errors import responses
from api.etags import IfNoneMatch, ReadingDep, WritingDep
from api.files import RESPONSES, file_answer
from api.narrowing import METADATA, Id, ModelRef, NarrowDep
from api.pages import After, Limit, Page
from api.services import ServicesDep, SessionDep
from records.database import after_commit
from records.queries import aliases, embeddings

router = APIRouter(prefix="/v1/embeddings", tags=["embeddings"])


@router.get("", summary="List embeddings of datasets", openapi_extra=METADATA, responses=responses(401))
def list_embeddings(
    session: SessionDep, narrow: NarrowDep, limit: Limit = 20, after: After = None, model_id: ModelRef = None, dataset_id: Id = None
) -> Page[EmbeddingOut]:
    """The newest first. Filters that are given together all have to fit, those by metadata (`metadata[team]=birds`) as well."""
    model = None if model_id is None else aliases.resolve(session, model_id)
    found, more = embeddings.page(session, limit=limit, after=after, model_id=model, dataset_id=dataset_id, narrow=narrow)
    return Page(data=[EmbeddingOut.of(embedding) for embedding in found], has_more=more)


@router.get("/{embedding_id}", summary="Read embeddings of a dataset", responses=responses(401, 404))
def read_embedding(embedding_id: str, session: SessionDep, answer: ReadingDep) -> EmbeddingOut:
    """What an embed job made, with the addresses of the Parquet files.

    Rows are joined with the dataset's samples by `id`, which is their `index`.
    """
    return answer(EmbeddingOut.of(embeddings.get(session, embedding_id)))


@router.patch("/{embedding_id}", summary="Change embeddings of a dataset", responses=responses(401, 404, 412, 422))
def update_embedding(embedding_id: str, request: Change, session: SessionDep, writing: WritingDep) -> EmbeddingOut:
    """Their metadata. With `If-Match`, only if nobody else has changed them since you read them."""
    embedding = embeddings.locked(session, embedding_id)
    writing.check(lambda: EmbeddingOut.of(embedding))
    request.apply(embedding)
    session.flush()
    return writing.done(EmbeddingOut.of(embedding))


@router.delete("/{embedding_id}", status_code=204, summary="Delete embeddings of a dataset", responses=responses(401, 404, 412))
def delete_embedding(embedding_id: str, session: SessionDep, services: ServicesDep, writing: WritingDep) -> None:
    """Delete embeddings and free their bytes. The model and the dataset stay."""
    writing.check(lambda: EmbeddingOut.of(embeddings.locked(session, embedding_id)))
    embeddings.delete(session, embedding_id)
    after_commit(session, lambda: services.blobs.delete(f"embeddings/{embedding_id}"))


@router.head("/{embedding_id}/files/{name}", include_in_schema=False)
@router.get(
    "/{embedding_id}/files/{name}", summary="Download a file of embeddings", response_class=FileResponse, responses=RESPONSES
)
def download_embedding_file(
    embedding_id: str, name: str, session: SessionDep, services: ServicesDep, if_none_match: IfNoneMatch = None
) -> Response:
    """A Parquet file, or a part of it: a download that was cut off goes on with `Range` and `If-Range`."""
    file = embeddings.file(session, embedding_id, name)
    return file_answer(services.blobs, name=name, key=file["key"], sha256=file["sha256"], if_none_match=if_none_match)
