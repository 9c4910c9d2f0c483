"""Frees what deletions and killed processes have left behind, now and then: its own disk each worker, the blob store one of all."""

import logging
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain

from sqlalchemy.exc import DBAPIError

from records.blobs import Blobs
from records.database import Database
from records.orphans import Freed, Orphan, in_store
from records.queries import chores
from records.settings import Settings
from worker.clearing import on_disk

logger = logging.getLogger(__name__)

CHORE = "sweep"
_LEASE = timedelta(hours=6)
"""After which a worker that sweeps is taken for dead; two that sweep at once do no harm."""


class Sweeper:
    """Sweeps in a thread of its own, so that the reaper, which calls `look`, never waits for a slow disk.

    Args:
        settings, database, blobs: what to work with.
        holder: the worker's id.
        stopping: ends it between two things.
    """

    def __init__(self, settings: Settings, database: Database, blobs: Blobs, holder: str, stopping: threading.Event) -> None:
        self._settings = settings
        self._database = database
        self._blobs = blobs
        self._holder = holder
        self._stopping = stopping
        self._next = time.monotonic() + 60  # a worker has better things to do while it starts
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Begin to sweep if it is time."""
        if time.monotonic() < self._next or (self._thread is not None and self._thread.is_alive()):
            return
        self._next = time.monotonic() + self._settings.sweep_hours * 3600
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait until it has stopped."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self.sweep()
        except (DBAPIError, OSError) as error:
            logger.warning("what nobody needs was not freed: %s", error)

    def sweep(self) -> Freed:
        """Free what can be freed on this host's disk, and in the store if no other worker has lately."""
        with self._database.write() as session:
            mine = chores.take(session, CHORE, self._holder, lease=_LEASE)
        freed = Freed()
        store: Iterator[Orphan] = in_store(self._database, self._blobs, self._settings.orphan_hours) if mine else iter(())
        for orphan in chain(on_disk(self._database, self._settings), store):
            if self._stopping.is_set():
                return freed
            orphan.free()
            freed.add(orphan)
        if mine:
            with self._database.write() as session:
                chores.done(session, CHORE, self._holder, again=timedelta(hours=self._settings.sweep_hours))
        if freed.count:
            logger.info("freed %d things that nobody needs any more, %d bytes", freed.count, freed.bytes)
        return freed
