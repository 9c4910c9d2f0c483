"""The rules of labels that are given to a dataset later."""

import csv
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from api.labels.schemas import LabelsOut
from api.services import Services
from records.blobs import Blobs
from records.database import after_commit
from records.errors import InvalidError
from records.ids import new_id
from records.models import Dataset
from records.queries import datasets, labels
from ssl_core.errors import UserError
from ssl_core.labels.given import Mode, Report, give
from ssl_core.labels.members import Members
from ssl_core.labels.stored import LabelSet, member_paths, of_folders, read, rows_of, written
from ssl_core.labels.table import open_table

MAX_BYTES = 256 << 20
"""Largest table; of a million files it has some 50 MB."""
_ROWS = 10_000
_EXAMPLES = 3
_at_work = threading.BoundedSemaphore(2)
"""A million names take some 250 MB while they are matched."""


class LabelsError(InvalidError):
    """The labels cannot be meant so."""

    code = "invalid_labels"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, param="file")


def table_key(dataset_id: str) -> str:
    """Where a table that arrives lies until it is read."""
    return f"datasets/{dataset_id}/labels/{new_id('table')}"


def put(services: Services, dataset_id: str, key: str, mode: Mode, *, dry_run: bool) -> LabelsOut:
    """Give a dataset the labels of a table that has arrived. The table is dropped.

    Raises:
        LabelsError: it is no table of labels, or none of it fits the dataset.
        NotFoundError: there is no such dataset.
        ConflictError: it is not ready, or others have changed its labels meanwhile.
    """
    blobs = services.blobs
    try:
        with services.database.read() as session:
            dataset = datasets.ready(session, dataset_id)
        with _at_work:
            shards = _shards(blobs, dataset)
            found, report = _given(blobs, dataset, shards, blobs.path(key), mode)
            if not dry_run:
                _check(found, report, mode)
                _store(services, dataset, shards, found, mode)
    except UserError as error:
        raise LabelsError(str(error)) from error
    finally:
        blobs.delete(key)
    return LabelsOut.of(dataset_id, found, report, mode=mode, applied=not dry_run)


def _given(blobs: Blobs, dataset: Dataset, shards: list[Path], table: Path, mode: Mode) -> tuple[LabelSet, Report]:
    columns = open_table(table)
    folders, given = of_folders(shards), labels.key_of(dataset)
    current = folders if given is None else read(blobs.path(given))
    return give(columns, Members(member_paths(shards)), folders, current, mode)


def _check(found: LabelSet, report: Report, mode: Mode) -> None:
    if report.matched == 0:
        lines = [f"line {one.line}: {one.file!r:.200}: {one.reason}" for one in report.first_unmatched[:_EXAMPLES]]
        if not lines:
            raise LabelsError("the table has no lines below its header, so nothing was changed")
        raise LabelsError(
            f"none of the {report.lines:,} lines names a file of the dataset, so nothing was changed ({'; '.join(lines)}). "
            "`dry_run=true` tells more of them"
        )
    if mode == "replace" and not found.names:
        raise LabelsError("no line has a label, so nothing was changed; to take all labels away, DELETE them")


def _store(services: Services, dataset: Dataset, shards: list[Path], found: LabelSet, mode: Mode) -> None:
    key = f"datasets/{dataset.id}/labels/{new_id('labels')}.parquet"
    with services.blobs.writer(key) as writer:
        writer.write(written(found, shards))
    file = {"key": key, "version": found.version, "counts": found.counts(), "splits": found.split_counts()}
    made_of = (labels.key_of(dataset) or "") if mode == "merge" else None
    try:
        with services.database.write() as session:
            gone = labels.replace(session, dataset.id, list(found.names) or None, file, made_of=made_of)
            after_commit(session, lambda: _delete(services.blobs, gone))
    except BaseException:
        services.blobs.delete(key)
        raise


def remove(services: Services, dataset_id: str) -> None:
    """Take away the labels that were given later; those of the upload's folders, if it had any, are there again.

    Raises:
        NotFoundError: there is no such dataset.
        ConflictError: it is not ready.
    """
    with services.database.write() as session:
        dataset = datasets.ready(session, dataset_id)
        gone = labels.replace(session, dataset_id, (dataset.report or {}).get("labels") or None, None)
        after_commit(session, lambda: _delete(services.blobs, gone))


def _delete(blobs: Blobs, keys: list[str]) -> None:
    for key in keys:
        blobs.delete(key)


def _shards(blobs: Blobs, dataset: Dataset) -> list[Path]:
    return [blobs.path(shard["key"]) for shard in dataset.shards or []]


def of_samples(blobs: Blobs, dataset: Dataset, rows: list[dict[str, Any]], start: int) -> list[dict[str, Any]]:
    """Samples, described by the shards from `start` on, with `label` as a name and `split` as they are now."""
    key = labels.key_of(dataset)
    if key is not None:
        given = rows_of(blobs.path(key), start, len(rows))
        return [{**row, "label": one["label"], "split": one["split"]} for row, one in zip(rows, given, strict=True)]
    names = dataset.labels or []
    known = [None if row.get("label") is None or not names else names[row["label"]] for row in rows]
    return [{**row, "label": label, "split": row.get("split")} for row, label in zip(rows, known, strict=True)]


def as_csv(blobs: Blobs, dataset: Dataset) -> Iterator[bytes]:
    """The labels as they are now, as a table of all files: `file,label,split`, empty where there is none."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["file", "label", "split"])
    for count, row in enumerate(_rows(blobs, dataset), 1):
        writer.writerow(row)
        if count % _ROWS == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _rows(blobs: Blobs, dataset: Dataset) -> Iterator[tuple[str, str | None, str | None]]:
    key = labels.key_of(dataset)
    if key is not None:
        with pq.ParquetFile(blobs.path(key)) as file:
            for batch in file.iter_batches(_ROWS, columns=["path", "label", "split"]):
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        return
    shards = _shards(blobs, dataset)
    found = of_folders(shards)
    row = 0
    for paths in member_paths(shards):
        for path in paths.to_pylist():
            label = found.labels[row]
            yield path, found.names[label] if label >= 0 else None, found.splits[row] if found.splits else None
            row += 1
