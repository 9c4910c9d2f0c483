"""Bytes that nobody will ask for any more: blobs that no record refers to, and uploads whose time is over.

Deletion frees bytes once it is committed. What a power cut or a killed process leaves between the two is found here: by looking at
what there is first, and at what the records refer to afterwards. What is young is left alone, for blobs come before their record.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice

from records.blobs import Blobs, Kept
from records.database import Database
from records.queries import references, uploads
from records.sweep import sweep_upload

logger = logging.getLogger(__name__)

_AT_A_TIME = 500
"""Records that are looked up by one query."""


@dataclass(frozen=True)
class Orphan:
    """Bytes that can be freed."""

    place: str
    """`blobs`, `uploads`, `cache` or `scratch`."""
    name: str
    bytes: int
    reason: str
    free: Callable[[], object]
    """Frees them, unless they are in use again."""


@dataclass
class Freed:
    """What a sweep has freed, or would free."""

    count: int = 0
    bytes: int = 0

    def add(self, orphan: Orphan) -> None:
        """Count one in."""
        self.count += 1
        self.bytes += orphan.bytes


def in_store(database: Database, blobs: Blobs, hours: float) -> Iterator[Orphan]:
    """What can be freed in the blob store.

    Args:
        database: of all projects.
        blobs: the store.
        hours: how long a blob has to have been unchanged.

    Of a store that has not a single record in the database, nothing is freed: it is more likely to be another database's.
    """
    yield from _expired(database, blobs)
    lost: list[Orphan] = []
    ours = False
    for known, found in _looked_through(database, blobs, time.time() - hours * 3600):
        ours = ours or known
        lost += found
        if ours:
            yield from lost
            lost = []
    if lost:
        told = "the database knows none of the records that the blobs are of, so none of %d is freed; is it the right database?"
        logger.warning(told, len(lost))


def _looked_through(database: Database, blobs: Blobs, before: float) -> Iterator[tuple[bool, list[Orphan]]]:
    """What can be freed, some records at a time, and whether any of these is there."""
    owners = groupby(blobs.walk(), key=lambda kept: tuple(kept.key.split("/")[:2]))
    known = ((owner[0], owner[1], [*found]) for owner, found in owners if owner[0] in references.KINDS and len(owner) > 1)
    for kind, group in groupby(known, key=lambda one: one[0]):
        owned = ((id_, found) for _, id_, found in group)
        while batch := dict(islice(owned, _AT_A_TIME)):
            yield _unreferenced(database, blobs, kind, batch, before)


def _expired(database: Database, blobs: Blobs) -> Iterator[Orphan]:
    with database.read() as session:
        found = uploads.expired(session, limit=10_000)
    for upload_id in found:
        size = blobs.grown(uploads.key_of(upload_id))
        free = partial(sweep_upload, database, blobs, upload_id)
        yield Orphan("uploads", uploads.prefix_of(upload_id), size, "its time is over, and no dataset was made of it", free)


def _unreferenced(
    database: Database, blobs: Blobs, kind: str, owned: dict[str, list[Kept]], before: float
) -> tuple[bool, list[Orphan]]:
    old = {id_: [one for one in found if one.changed_at < before] for id_, found in owned.items()}
    with database.read() as session:
        there = references.there(session, kind, [*old])
        wanted = [id_ for id_ in there if old[id_]]
        # Of an upload, nothing but the record itself says that its bytes are wanted.
        referred = references.keys(session, kind, wanted) if wanted and kind != "uploads" else set()
    orphans = [_gone(blobs, f"{kind}/{id_}", found) for id_, found in owned.items() if id_ not in there and old[id_] == found]
    for id_ in there if kind != "uploads" else ():
        orphans += [_left(blobs, one) for one in old[id_] if one.key not in referred]
    return bool(there), orphans


def _gone(blobs: Blobs, prefix: str, found: list[Kept]) -> Orphan:
    return Orphan("blobs", prefix, sum(one.bytes for one in found), "its record is gone", partial(blobs.delete, prefix))


def _left(blobs: Blobs, one: Kept) -> Orphan:
    reason = "no record refers to it" if one.whole else "it was never finished"
    return Orphan("blobs", one.key, one.bytes, reason, partial(blobs.discard, one))
