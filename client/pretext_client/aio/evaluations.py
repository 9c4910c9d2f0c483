"""The same as `evaluations.py` for `await`. Made by client/make_async: change that file, and run it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pretext_client.aio.bound import AsyncEvaluation
from pretext_client.aio.download import download_all
from pretext_client.async_http import AsyncHttp
from pretext_client.changes import Notes, change, narrowed
from pretext_client.evaluations import _PATH, _path
from pretext_client.http import Call
from pretext_client.upload import OnBytes


class AsyncEvaluations:
    """Read what evaluate jobs found out, and download it."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(
        self, *, model_id: str | None = None, dataset_id: str | None = None, metadata: Notes | None = None
    ) -> AsyncIterator[AsyncEvaluation]:
        """All evaluations without their reports, the newest first; pages are fetched as needed.

        >>> async for evaluation in pretext.evaluations.list(model_id=model.id):
        ...     print(evaluation.id, evaluation.sentence)
        """
        return self._http.pages(
            _PATH, narrowed(metadata, model_id=model_id, dataset_id=dataset_id), AsyncEvaluation, lambda one: one.id
        )

    async def get(self, evaluation_id: str) -> AsyncEvaluation:
        """Read an evaluation with its whole report."""
        return await self._http.value(Call("GET", _path(evaluation_id)), AsyncEvaluation)

    async def update(self, evaluation_id: str, *, if_match: str | None = None, **changes: Any) -> AsyncEvaluation:
        """Change its `metadata`; what is left out stays. Of `metadata`, other keys stay, and a key with None is deleted.

        Args:
            evaluation_id: the evaluation.
            if_match: what `etag` gave; nothing is changed if it was changed since then by somebody else (status 412).
            changes: what shall be different.
        """
        return await self._http.value(change(_path(evaluation_id), changes, if_match), AsyncEvaluation)

    async def etag(self, evaluation_id: str) -> str:
        """The version of a evaluation, for `update`. Read it before the evaluation itself."""
        return (await self._http.headers(Call("GET", _path(evaluation_id))))["ETag"]

    async def delete(self, evaluation_id: str) -> None:
        """Delete a report and its pictures. The model stays."""
        await self._http.json(Call("DELETE", _path(evaluation_id)))

    async def download(
        self, evaluation_id: str, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download `report.json` and the pictures, PNG and SVG. Arguments, and what is raised, as of `models.download`."""
        files = (await self.get(evaluation_id)).files
        return await download_all(self._http, _path(evaluation_id), files, directory, force=force, on_progress=on_progress)
