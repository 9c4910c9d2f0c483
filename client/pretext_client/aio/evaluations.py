"""The same as `evaluations.py` for `await`. Made by client/make_async: change that file, and run it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from pretext_client.aio.bound import AsyncEvaluation
from pretext_client.aio.download import download_all
from pretext_client.async_http import AsyncHttp
from pretext_client.evaluations import _PATH, _path
from pretext_client.http import Call
from pretext_client.upload import OnBytes


class AsyncEvaluations:
    """Read what evaluate jobs found out, and download it."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(self, *, model_id: str | None = None, dataset_id: str | None = None) -> AsyncIterator[AsyncEvaluation]:
        """All evaluations without their reports, the newest first; pages are fetched as needed."""
        return self._http.pages(_PATH, {"model_id": model_id, "dataset_id": dataset_id}, AsyncEvaluation, lambda one: one.id)

    async def get(self, evaluation_id: str) -> AsyncEvaluation:
        """Read an evaluation with its whole report."""
        return await self._http.value(Call("GET", _path(evaluation_id)), AsyncEvaluation)

    async def delete(self, evaluation_id: str) -> None:
        """Delete a report and its pictures. The model stays."""
        await self._http.json(Call("DELETE", _path(evaluation_id)))

    async def download(
        self, evaluation_id: str, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download `report.json` and the pictures, PNG and SVG. Arguments, and what is raised, as of `models.download`."""
        files = (await self.get(evaluation_id)).files
        return await download_all(self._http, _path(evaluation_id), files, directory, force=force, on_progress=on_progress)
