"""Reading single images and videos out of a dataset's Parquet shards."""

from collections.abc import Iterator
from typing import Any

from records.blobs import Blobs
from records.errors import NotFoundError
from records.models import Dataset
from ssl_core.ingest.shards import Group, groups

_DESCRIPTION = ["width", "height", "label", "split", "frames", "rate"]


def describe(blobs: Blobs, dataset: Dataset, *, start: int, count: int) -> list[dict[str, Any]]:
    """Paths, sizes, labels and splits of the samples `start` to `start + count`; what is behind the end is left out."""
    column = dataset.kind or "image"
    rows: list[dict[str, Any]] = []
    for file, group, first, size in _groups(blobs, dataset):
        if first + size <= start:
            continue
        if first >= start + count:
            break
        table = file.read_row_group(group, columns=[f"{column}.path", *_DESCRIPTION])
        found = table.slice(max(0, start - first), start + count - max(first, start)).to_pylist()
        rows += [{**row, "path": row[column]["path"]} for row in found]
    return rows


def picture_bytes(blobs: Blobs, dataset: Dataset, index: int) -> bytes:
    """The image at an index, as it was uploaded; of a video, its preview, an animated WebP.

    Raises:
        NotFoundError: the dataset is shorter.
    """
    column = "preview" if dataset.kind == "video" else "image"
    for file, group, first, size in _groups(blobs, dataset):
        if first <= index < first + size:
            content: bytes = file.read_row_group(group, columns=[f"{column}.bytes"])[column][index - first]["bytes"].as_py()
            return content
    raise NotFoundError(f"the dataset has {dataset.images} samples, from 0; there is no sample {index}")


def _groups(blobs: Blobs, dataset: Dataset) -> Iterator[Group]:
    return groups(blobs.path(shard["key"]) for shard in dataset.shards or [])
