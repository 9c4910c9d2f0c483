"""The same as `embeddings.py` for `await`. Made by client/make_async: change that file, and run it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pretext_client.aio.bound import AsyncEmbedding
from pretext_client.aio.download import download_all
from pretext_client.async_http import AsyncHttp
from pretext_client.changes import Notes, change, narrowed
from pretext_client.embeddings import _PATH, _path
from pretext_client.http import Call
from pretext_client.types import EmbeddingMap, Neighbors
from pretext_client.upload import OnBytes


class AsyncEmbeddings:
    """See what embed jobs made, and download it."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(
        self, *, model_id: str | None = None, dataset_id: str | None = None, metadata: Notes | None = None
    ) -> AsyncIterator[AsyncEmbedding]:
        """All embeddings of datasets, the newest first; pages are fetched as needed."""
        return self._http.pages(
            _PATH, narrowed(metadata, model_id=model_id, dataset_id=dataset_id), AsyncEmbedding, lambda one: one.id
        )

    async def get(self, embedding_id: str) -> AsyncEmbedding:
        """Read what they are of, and which files they have."""
        return await self._http.value(Call("GET", _path(embedding_id)), AsyncEmbedding)

    async def update(self, embedding_id: str, *, if_match: str | None = None, **changes: Any) -> AsyncEmbedding:
        """Change its `metadata`; what is left out stays. Of `metadata`, other keys stay, and a key with None is deleted.

        Args:
            embedding_id: the embedding.
            if_match: what `etag` gave; nothing is changed if it was changed since then by somebody else (status 412).
            changes: what shall be different.
        """
        return await self._http.value(change(_path(embedding_id), changes, if_match), AsyncEmbedding)

    async def etag(self, embedding_id: str) -> str:
        """The version of a embedding, for `update`. Read it before the embedding itself."""
        return (await self._http.headers(Call("GET", _path(embedding_id))))["ETag"]

    async def delete(self, embedding_id: str) -> None:
        """Delete embeddings and their files. The model and the dataset stay."""
        await self._http.json(Call("DELETE", _path(embedding_id)))

    async def download(
        self, embedding_id: str, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download the Parquet files. Arguments, and what is raised, as of `models.download`.

        pandas, DuckDB and Hugging Face's `datasets` open the folder; `id` is the `index` of `datasets.samples`.
        """
        files = (await self.get(embedding_id)).files
        return await download_all(self._http, _path(embedding_id), files, directory, force=force, on_progress=on_progress)

    async def neighbors(self, embedding_id: str, index: int, *, limit: int = 12) -> Neighbors:
        """The samples that the encoder finds the most like one of them, by the cosine of their embeddings.

        >>> job = await (await pretext.jobs.embed(model.id, dataset.id)).wait(check=True)
        >>> nearest = (await pretext.embeddings.neighbors(job.embedding_id, 7)).data

        Args:
            embedding_id: the embeddings.
            index: the sample's `index` of `datasets.samples`.
            limit: how many to find, at most 100.

        Raises:
            NotFound: there are no such embeddings, or the sample is not among them.
        """
        call = Call("GET", f"{_path(embedding_id)}/samples/{index}/neighbors", params={"limit": limit})
        return await self._http.value(call, Neighbors)

    async def map(self, embedding_id: str, *, points: int = 1000) -> EmbeddingMap:
        """The samples as points of a plane, to be drawn: the first two principal components of their embeddings.

        Args:
            embedding_id: the embeddings.
            points: most of them, from 2 to 5000; they are spread evenly over the samples.

        Raises:
            NotFound: there are no such embeddings.
        """
        return await self._http.value(Call("GET", f"{_path(embedding_id)}/map", params={"points": points}), EmbeddingMap)
