"""Embeddings of datasets: find, list, delete."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.errors import NotFoundError
from records.models import Embedding
from records.queries import pages, rows
from records.queries.pages import EVERYTHING, Narrow


def get(session: Session, embedding_id: str) -> Embedding:
    """Find embeddings.

    Raises:
        NotFoundError: there are none with this id.
    """
    embedding = session.get(Embedding, embedding_id)
    if embedding is None:
        raise NotFoundError.of("embedding", embedding_id)
    return embedding


def locked(session: Session, embedding_id: str) -> Embedding:
    """Find embeddings for a change; nobody else changes them before the transaction ends.

    Raises:
        NotFoundError: there are none with this id.
    """
    return rows.locked(session, Embedding, embedding_id, "embedding")


def file(session: Session, embedding_id: str, name: str) -> dict[str, Any]:
    """Find a file of embeddings: `{name, key, bytes, sha256}`.

    Raises:
        NotFoundError: there are no such embeddings, or they have no such file.
    """
    files: list[dict[str, Any]] = get(session, embedding_id).files
    found = next((file for file in files if file["name"] == name), None)
    if found is None:
        raise NotFoundError(f"embedding {embedding_id} has no file {name!r}; it has {len(files)}, from {files[0]['name']} on")
    return found


def page(
    session: Session,
    *,
    limit: int,
    after: str | None,
    model_id: str | None = None,
    dataset_id: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[Embedding], bool]:
    """One page of embeddings, and whether there is more."""
    equal = [(Embedding.model_id, model_id), (Embedding.dataset_id, dataset_id)]
    return pages.page(session, select(Embedding), Embedding, limit=limit, after=after, narrow=narrow, equal=equal)


def delete(session: Session, embedding_id: str) -> None:
    """Delete the record of embeddings. The job that made them stays, without them.

    Raises:
        NotFoundError: there are none with this id.
    """
    session.delete(get(session, embedding_id))
