"""Embeddings of whole datasets: Parquet files that embed jobs made."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pretext_client.bound import Embedding
from pretext_client.changes import Notes, change, narrowed
from pretext_client.download import download_all
from pretext_client.http import Call, Http
from pretext_client.types import EmbeddingMap, Neighbors
from pretext_client.upload import OnBytes

_PATH = "/v1/embeddings"


class Embeddings:
    """See what embed jobs made, and download it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(
        self, *, model_id: str | None = None, dataset_id: str | None = None, metadata: Notes | None = None
    ) -> Iterator[Embedding]:
        """All embeddings of datasets, the newest first; pages are fetched as needed."""
        return self._http.pages(_PATH, narrowed(metadata, model_id=model_id, dataset_id=dataset_id), Embedding, lambda one: one.id)

    def get(self, embedding_id: str) -> Embedding:
        """Read what they are of, and which files they have."""
        return self._http.value(Call("GET", _path(embedding_id)), Embedding)

    def update(self, embedding_id: str, *, if_match: str | None = None, **changes: Any) -> Embedding:
        """Change its `metadata`; what is left out stays. Of `metadata`, other keys stay, and a key with None is deleted.

        Args:
            embedding_id: the embedding.
            if_match: what `etag` gave; nothing is changed if it was changed since then by somebody else (status 412).
            changes: what shall be different.
        """
        return self._http.value(change(_path(embedding_id), changes, if_match), Embedding)

    def etag(self, embedding_id: str) -> str:
        """The version of a embedding, for `update`. Read it before the embedding itself."""
        return self._http.headers(Call("GET", _path(embedding_id)))["ETag"]

    def delete(self, embedding_id: str) -> None:
        """Delete embeddings and their files. The model and the dataset stay."""
        self._http.json(Call("DELETE", _path(embedding_id)))

    def download(
        self, embedding_id: str, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download the Parquet files. Arguments, and what is raised, as of `models.download`.

        pandas, DuckDB and Hugging Face's `datasets` open the folder; `id` is the `index` of `datasets.samples`.
        """
        files = self.get(embedding_id).files
        return download_all(self._http, _path(embedding_id), files, directory, force=force, on_progress=on_progress)

    def neighbors(self, embedding_id: str, index: int, *, limit: int = 12) -> Neighbors:
        """The samples that the encoder finds the most like one of them, by the cosine of their embeddings.

        >>> job = pretext.jobs.embed(model.id, dataset.id).wait(check=True)
        >>> nearest = pretext.embeddings.neighbors(job.embedding_id, 7).data

        Args:
            embedding_id: the embeddings.
            index: the sample's `index` of `datasets.samples`.
            limit: how many to find, at most 100.

        Raises:
            NotFound: there are no such embeddings, or the sample is not among them.
        """
        call = Call("GET", f"{_path(embedding_id)}/samples/{index}/neighbors", params={"limit": limit})
        return self._http.value(call, Neighbors)

    def map(self, embedding_id: str, *, points: int = 1000) -> EmbeddingMap:
        """The samples as points of a plane, to be drawn: the first two principal components of their embeddings.

        Args:
            embedding_id: the embeddings.
            points: most of them, from 2 to 5000; they are spread evenly over the samples.

        Raises:
            NotFound: there are no such embeddings.
        """
        return self._http.value(Call("GET", f"{_path(embedding_id)}/map", params={"points": points}), EmbeddingMap)


def _path(embedding_id: str) -> str:
    return f"{_PATH}/{quote(embedding_id, safe='')}"
