"""`pretext-server sweep`: free what nobody needs any more, or say what that would be."""

from collections import defaultdict
from itertools import chain

from records.blobs import open_blobs
from records.database import Database
from records.orphans import Freed, in_store
from records.settings import Settings
from worker.clearing import on_disk

_UNITS = ("B", "kB", "MB", "GB", "TB")


def run(settings: Settings, *, dry_run: bool) -> Freed:
    """Look through the store and this host's disk, and free what nobody needs. Safe while the server runs."""
    database = Database(settings.database)
    total = Freed()
    places: defaultdict[str, Freed] = defaultdict(Freed)
    try:
        store = in_store(database, open_blobs(settings.blobs), settings.orphan_hours)
        for orphan in chain(store, on_disk(database, settings)):
            print(f"{shown(orphan.bytes):>10}  {orphan.place}  {orphan.name}: {orphan.reason}")
            if not dry_run:
                orphan.free()
            total.add(orphan)
            places[orphan.place].add(orphan)
    finally:
        database.engine.dispose()
    word = "would free" if dry_run else "freed"
    parts = "; ".join(f"{place} {freed.count}, {shown(freed.bytes)}" for place, freed in places.items())
    print(f"{word} {shown(total.bytes)} ({parts})" if total.count else "there is nothing to free")
    return total


def shown(size: float) -> str:
    """Bytes, for people."""
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"
