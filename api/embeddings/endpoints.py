"""Embeddings of datasets over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse

from api.changes import Change
from api.embeddings import service
from api.embeddings.schemas import EmbeddingMapOut, EmbeddingOut, NeighborsOut
from api.errors import responses
from api.etags import IfNoneMatch, ReadingDep, WritingDep
from api.files import RESPONSES, file_answer
from api.narrowing import METADATA, Id, ModelRef, NarrowDep
from api.pages import After, Limit, Page
from api.services import ServicesDep, SessionDep
from records.database import after_commit
from records.queries import aliases, embeddings

_LAST = 2**31 - 1
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


@router.get("/{embedding_id}/samples/{index}/neighbors", summary="Find samples that are alike", responses=responses(401, 404, 503))
def list_neighbors(
    embedding_id: str,
    index: Annotated[int, Path(ge=0, le=_LAST, description="Place of the sample in the dataset, from 0.")],
    session: SessionDep,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100, description="How many to find.")] = 12,
) -> NeighborsOut:
    """The samples whose embeddings are the most like that of one of them, by the cosine: what the encoder finds alike.

    All embeddings are compared, exactly.
    """
    return service.neighbors(services.blobs, embeddings.get(session, embedding_id), index, limit)


@router.get("/{embedding_id}/map", summary="See embeddings as a map", responses=responses(401, 404, 503))
def read_embedding_map(
    embedding_id: str,
    session: SessionDep,
    services: ServicesDep,
    points: Annotated[int, Query(ge=2, le=5000, description="Most points; they are spread evenly over the samples.")] = 1000,
) -> EmbeddingMapOut:
    """The samples as points of a plane, to be drawn: the first two principal components of their embeddings."""
    return service.map_of(services.blobs, embeddings.get(session, embedding_id), points)
