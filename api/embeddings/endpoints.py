"""Embeddings of datasets over HTTP."""

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from api.embeddings.schemas import EmbeddingOut
from api.errors import responses
from api.etags import IfNoneMatch
from api.files import RESPONSES, file_answer
from api.pages import After, Limit, Page
from api.services import ServicesDep, SessionDep
from records.database import after_commit
from records.queries import embeddings

router = APIRouter(prefix="/v1/embeddings", tags=["embeddings"])


@router.get("", summary="List embeddings of datasets", responses=responses(401))
def list_embeddings(
    session: SessionDep, limit: Limit = 20, after: After = None, model_id: str | None = None, dataset_id: str | None = None
) -> Page[EmbeddingOut]:
    """The newest first."""
    found, more = embeddings.page(session, limit=limit, after=after, model_id=model_id, dataset_id=dataset_id)
    return Page(data=[EmbeddingOut.of(embedding) for embedding in found], has_more=more)


@router.get("/{embedding_id}", summary="Read embeddings of a dataset", responses=responses(401, 404))
def read_embedding(embedding_id: str, session: SessionDep) -> EmbeddingOut:
    """What an embed job made, with the addresses of the Parquet files.

    Rows are joined with the dataset's samples by `id`, which is their `index`.
    """
    return EmbeddingOut.of(embeddings.get(session, embedding_id))


@router.delete("/{embedding_id}", status_code=204, summary="Delete embeddings of a dataset", responses=responses(401, 404))
def delete_embedding(embedding_id: str, session: SessionDep, services: ServicesDep) -> None:
    """Delete embeddings and free their bytes. The model and the dataset stay."""
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
