"""The list of a dataset's files, by which a later upload leaves out what the dataset has already."""

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from ssl_core.ingest.names import printable

FILES = "files.jsonl"


class FileList:
    """Writes `files.jsonl`: a line of JSON for every file that is stored byte for byte as it came.

    A line is `{"path", "bytes", "sha256", "sample"}`, where `sample` is the index in the dataset. Files of which a part was left
    out, and clips that were made of frames, are in no line: nobody could tell from the dataset what they were.

    Args:
        folder: where the list goes.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / FILES).open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, name: str, size: int, digest: bytes, sample: int) -> None:
        """Note a file.

        Args:
            name: as it was called in the upload.
            size: its bytes.
            digest: their SHA-256.
            sample: its index in the dataset.
        """
        line = {"path": printable(name), "bytes": size, "sha256": digest.hex(), "sample": sample}
        self._file.write(json.dumps(line) + "\n")
