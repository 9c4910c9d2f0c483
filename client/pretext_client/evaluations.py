"""Evaluations: how many labels an encoder saves."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pretext_client.bound import Evaluation
from pretext_client.download import download_all
from pretext_client.http import Call, Http
from pretext_client.upload import OnBytes

_PATH = "/v1/evaluations"


class Evaluations:
    """Read what evaluate jobs found out, and download it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self, *, model_id: str | None = None, dataset_id: str | None = None) -> Iterator[Evaluation]:
        """All evaluations without their reports, the newest first; pages are fetched as needed."""
        return self._http.pages(_PATH, {"model_id": model_id, "dataset_id": dataset_id}, Evaluation, lambda one: one.id)

    def get(self, evaluation_id: str) -> Evaluation:
        """Read an evaluation with its whole report."""
        return self._http.value(Call("GET", _path(evaluation_id)), Evaluation)

    def delete(self, evaluation_id: str) -> None:
        """Delete a report and its pictures. The model stays."""
        self._http.json(Call("DELETE", _path(evaluation_id)))

    def download(
        self, evaluation_id: str, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download `report.json` and the pictures, PNG and SVG. Arguments, and what is raised, as of `models.download`."""
        files = self.get(evaluation_id).files
        return download_all(self._http, _path(evaluation_id), files, directory, force=force, on_progress=on_progress)


def _path(evaluation_id: str) -> str:
    return f"{_PATH}/{quote(evaluation_id, safe='')}"
