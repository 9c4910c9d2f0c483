"""Evaluations: how many labels an encoder saves."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pretext_client.bound import Evaluation
from pretext_client.changes import Notes, change, narrowed
from pretext_client.download import download_all
from pretext_client.http import Call, Http
from pretext_client.upload import OnBytes

_PATH = "/v1/evaluations"


class Evaluations:
    """Read what evaluate jobs found out, and download it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(
        self, *, model_id: str | None = None, dataset_id: str | None = None, metadata: Notes | None = None
    ) -> Iterator[Evaluation]:
        """All evaluations without their reports, the newest first; pages are fetched as needed.

        >>> for evaluation in pretext.evaluations.list(model_id=model.id):
        ...     print(evaluation.id, evaluation.sentence)
        """
        return self._http.pages(_PATH, narrowed(metadata, model_id=model_id, dataset_id=dataset_id), Evaluation, lambda one: one.id)

    def get(self, evaluation_id: str) -> Evaluation:
        """Read an evaluation with its whole report."""
        return self._http.value(Call("GET", _path(evaluation_id)), Evaluation)

    def update(self, evaluation_id: str, *, if_match: str | None = None, **changes: Any) -> Evaluation:
        """Change its `metadata`; what is left out stays. Of `metadata`, other keys stay, and a key with None is deleted.

        Args:
            evaluation_id: the evaluation.
            if_match: what `etag` gave; nothing is changed if it was changed since then by somebody else (status 412).
            changes: what shall be different.
        """
        return self._http.value(change(_path(evaluation_id), changes, if_match), Evaluation)

    def etag(self, evaluation_id: str) -> str:
        """The version of a evaluation, for `update`. Read it before the evaluation itself."""
        return self._http.headers(Call("GET", _path(evaluation_id)))["ETag"]

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
