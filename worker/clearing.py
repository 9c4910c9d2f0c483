"""Bytes on a worker's own disk that nobody asks for any more: decoded images of deleted datasets, folders of dead workers."""

import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import select

from records.database import Database
from records.models import Dataset
from records.orphans import Orphan
from records.settings import Settings
from ssl_core import cached


def on_disk(database: Database, settings: Settings) -> Iterator[Orphan]:
    """What can be freed on this host."""
    yield from _decoded(database, settings.cache, settings.orphan_hours)
    for folder in abandoned(settings.scratch):
        yield Orphan("scratch", folder.name, _bytes_below(folder), "its worker is gone", partial(_remove, folder))


def abandoned(scratch: Path) -> list[Path]:
    """Folders of this host's workers that were killed."""
    folders = scratch.glob("worker_*-*")
    return sorted(folder for folder in folders if not Path(f"/proc/{folder.name.rpartition('-')[2]}").exists())


def _decoded(database: Database, cache: Path, hours: float) -> Iterator[Orphan]:
    found = {entry: entry.name.partition("-")[0] for entry in cached.entries(cache)}
    of_datasets = {dataset_id for dataset_id in found.values() if dataset_id.startswith("ds_")}
    with database.read() as session:
        there = set(session.scalars(select(Dataset.id).where(Dataset.id.in_(of_datasets))))
    for entry, dataset_id in found.items():
        gone = dataset_id in of_datasets - there
        left = entry.name.endswith(cached.NEW) and entry.stat().st_mtime < time.time() - hours * 3600
        if (gone or left) and cached.is_free(entry):
            reason = "its dataset is gone" if gone else "it was never finished"
            yield Orphan("cache", entry.name, cached.size_of(entry), reason, partial(cached.evict, entry))


def _bytes_below(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
