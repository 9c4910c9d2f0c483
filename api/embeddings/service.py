"""Looking into embeddings: what a computation over their files needs, and how many of those run at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api.embeddings.schemas import EmbeddingMapOut, MapPointOut, NeighborOut, NeighborsOut
from records.blobs import Blobs
from records.errors import NotFoundError, UnavailableError
from records.models import Embedding
from ssl_core.embedding_views import Views

_AT_ONCE = 2
"""Of millions of embeddings each keeps a core busy for seconds; the others are for all other requests."""
_PATIENCE_SECONDS = 10.0
_places = threading.BoundedSemaphore(_AT_ONCE)


def neighbors(blobs: Blobs, embedding: Embedding, index: int, limit: int) -> NeighborsOut:
    """The samples whose embeddings are the most like that of one of them.

    Raises:
        NotFoundError: it is not among the embeddings.
        UnavailableError: too many look into embeddings already.
        FileNotFoundError: the files are gone.
    """
    with _views(blobs, embedding) as views:
        found = views.neighbors(index, limit)
    if found is None:
        told = "; videos that are too short for a clip have none" if embedding.left_out else ""
        raise NotFoundError(f"sample {index} has no embedding in {embedding.id}, which has {embedding.rows}{told}")
    row, near = found
    return NeighborsOut(
        embedding_id=embedding.id,
        dataset_id=embedding.dataset_id,
        index=row.id,
        path=row.path,
        label=row.label,
        data=[NeighborOut(index=one.id, path=one.path, label=one.label, similarity=round(one.similarity, 6)) for one in near],
    )


def map_of(blobs: Blobs, embedding: Embedding, points: int) -> EmbeddingMapOut:
    """The samples as points of a plane.

    Raises:
        UnavailableError: too many look into embeddings already.
        FileNotFoundError: the files are gone.
    """
    with _views(blobs, embedding) as views:
        found = views.map(points)
    return EmbeddingMapOut(
        embedding_id=embedding.id,
        dataset_id=embedding.dataset_id,
        rows=embedding.rows,
        explained=[round(share, 6) for share in found.explained],
        data=[
            MapPointOut(index=row.id, label=row.label, x=round(float(x), 6), y=round(float(y), 6))
            for row, (x, y) in zip(found.rows, found.places, strict=True)
        ],
    )


@contextmanager
def _views(blobs: Blobs, embedding: Embedding) -> Iterator[Views]:
    if not _places.acquire(timeout=_PATIENCE_SECONDS):
        raise UnavailableError("too many look into embeddings at the moment; try again in a moment")
    try:
        with Views([blobs.path(file["key"]) for file in embedding.files]) as views:
            yield views
    finally:
        _places.release()
