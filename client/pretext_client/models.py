"""Models: trained encoders."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pretext_client.download import Download
from pretext_client.errors import TransferFailed
from pretext_client.http import Call, Http
from pretext_client.types import Model
from pretext_client.upload import OnBytes

_PATH = "/v1/models"


class Models:
    """See trained encoders, and download them."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self, *, dataset_id: str | None = None, task: str | None = None) -> Iterator[Model]:
        """All models, the newest first; pages are fetched as needed."""
        return self._http.pages(_PATH, {"dataset_id": dataset_id, "task": task}, Model, lambda model: model.id)

    def get(self, model_id: str) -> Model:
        """Read a model."""
        return Model.of(self._http.json(Call("GET", _path(model_id))))

    def download(
        self, model_id: str, directory: str | os.PathLike[str], *, force: bool = False, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Download every file of a model.

        A file appears under its name once it is whole and its SHA-256 is right. A download that was cut off goes on where it
        was, at once or when it is called again. A file that is there already is left alone.

        Args:
            model_id: the model.
            directory: folder to put the files in; made if it is missing.
            force: overwrite files of the same names and other content.
            on_progress: is called with the bytes that are there, and the bytes in all.

        Raises:
            TransferFailed: a file of the same name and other content is there, or the bytes that came are wrong.
            ConnectionFailed: the server cannot be reached.
        """
        model = self.get(model_id)
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        total = sum(file.bytes for file in model.files)
        downloads = [
            Download(self._http, f"{_path(model_id)}/files/{quote(file.name, safe='')}", file, folder) for file in model.files
        ]
        if not force and (others := [one.target for one in downloads if one.is_other()]):
            raise TransferFailed(
                f"{', '.join(map(str, others))} is there and is another file; choose another folder, or force it (--force)"
            )
        before = 0
        for one in downloads:
            one.run(lambda here, before=before: on_progress(before + here, total) if on_progress else None)  # type: ignore[misc]
            before += one.file.bytes
        return tuple(one.target for one in downloads)


def _path(model_id: str) -> str:
    return f"{_PATH}/{quote(model_id, safe='')}"
