"""Jobs' events as they happen, as server-sent events.

One task reads the database for everybody who watches, twice a second, however many they are; a watcher is a place in a list of
messages that all watchers of a job share. So a thousand watchers need no threads, and one who reads slowly takes no memory.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import anyio
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError

from api.jobs.schemas import EventOut, Progress
from records.database import Database
from records.models import JobEvent
from records.queries import events
from records.queries.events import Head
from records.states import ENDED

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
KEPT = 500
"""Newest messages of a job that are kept for its watchers; whoever is further behind reads from the database."""
_KEEP_ALIVE_SECONDS = 15.0
_AT_ONCE = 100
_CATCHING_UP = 4
"""Watchers that read from the database at a time."""

Numbered = tuple[int, bytes]
"""An event's number, and its message."""


@dataclass(eq=False)
class _Feed:
    """What is new of one job, for all who watch it."""

    watchers: int = 0
    head: Head | None = None
    """The job as it was last seen; None before that."""
    gone: bool = False
    last: int = 0
    """Number of the newest event that was read."""
    messages: deque[Numbered] = field(default_factory=lambda: deque(maxlen=KEPT))
    """The newest, without gaps."""
    progress: bytes | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is something new; the next one takes its place."""

    @property
    def first(self) -> int:
        """Number of the oldest event that is kept."""
        return self.messages[0][0] if self.messages else self.last + 1

    def tell(self) -> None:
        """Wake whoever waits."""
        self.changed.set()
        self.changed = asyncio.Event()

    def ended(self, after: int) -> bool:
        """Whether nothing will come any more behind an event."""
        return self.gone or (self.head is not None and self.head.state in ENDED and after >= self.last)


class Feeds:
    """Everybody who watches a job, in one process.

    Args:
        database: for all projects; who may watch what is decided before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._feeds: dict[str, _Feed] = {}
        self._wanted = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._limiter: anyio.CapacityLimiter | None = None
        self._closed = False
        self.on_change: Callable[[int, int], None] = lambda _watchers, _jobs: None
        """Told how many watch how many jobs, when that changes."""

    @property
    def watchers(self) -> int:
        """How many watch."""
        return sum(feed.watchers for feed in self._feeds.values())

    @property
    def jobs(self) -> int:
        """How many jobs are watched."""
        return len(self._feeds)

    def close(self) -> None:
        """End all streams: the process stops, and clients go on with another one, by `Last-Event-ID`."""
        self._closed = True
        for feed in self._feeds.values():
            feed.tell()
        self._wanted.set()

    async def follow(self, job_id: str, after: int) -> AsyncIterator[bytes]:
        """Every event behind `after`, and the progress between them, until the job has ended or is deleted.

        Events carry their number as id, so that a client that was cut off goes on where it was by `Last-Event-ID`.
        Progress carries none.
        """
        feed = self._join(job_id)
        try:
            shown: bytes | None = None
            while not self._closed:
                changed = feed.changed
                for number, text in await self._behind(feed, job_id, after):
                    after = number
                    yield text
                if after < feed.last and not feed.gone:
                    continue
                if feed.progress is not None and feed.progress != shown:
                    shown = feed.progress
                    yield shown
                if feed.ended(after):
                    return
                try:
                    async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._leave(job_id, feed)

    def _join(self, job_id: str) -> _Feed:
        feed = self._feeds.setdefault(job_id, _Feed())
        feed.watchers += 1
        self.on_change(self.watchers, self.jobs)
        if feed.head is None:
            self._wanted.set()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read_on())
        return feed

    def _leave(self, job_id: str, feed: _Feed) -> None:
        feed.watchers -= 1
        if not feed.watchers and self._feeds.get(job_id) is feed:
            del self._feeds[job_id]
        self.on_change(self.watchers, self.jobs)

    async def _behind(self, feed: _Feed, job_id: str, after: int) -> list[Numbered]:
        """Some messages behind an event: those that are kept, or, if they begin too late, from the database."""
        if after >= feed.last:
            return []
        if after + 1 >= feed.first:
            newest = list(islice((one for one in feed.messages if one[0] > after), _AT_ONCE))
            return [(newest[-1][0], b"".join(text for _, text in newest))]
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_CATCHING_UP)
        try:
            return await anyio.to_thread.run_sync(self._page, job_id, after, limiter=self._limiter)
        except SQLAlchemyError as error:
            logger.warning("the database does not answer, a watcher of %s waits: %s", job_id, error)
            await anyio.sleep(POLL_SECONDS)
            return []

    def _page(self, job_id: str, after: int) -> list[Numbered]:
        with self._database.read() as session:
            return [_numbered(event) for event in events.page(session, job_id, after=after, limit=_AT_ONCE)[0]]

    async def _read_on(self) -> None:
        """Read for all as long as somebody watches."""
        own_thread = anyio.CapacityLimiter(1)
        while self._feeds and not self._closed:
            self._wanted.clear()
            known = {job_id: feed.last for job_id, feed in self._feeds.items()}
            try:
                found = await anyio.to_thread.run_sync(self._read, known, limiter=own_thread)
            except SQLAlchemyError as error:
                logger.warning("the database does not answer, %d watchers wait: %s", self.watchers, error)
            else:
                for job_id in known.keys() & self._feeds.keys():
                    _update(self._feeds[job_id], found.get(job_id), known[job_id])
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wanted.wait()

    def _read(self, known: dict[str, int]) -> dict[str, tuple[Head, list[Numbered], bytes | None]]:
        """What there is of some jobs: the number of the newest event that is known, by the job's id."""
        found = {}
        with self._database.read() as session:
            for job_id, head in events.heads(session, list(known)).items():
                after = max(known[job_id], head.last_event - KEPT)
                new = events.page(session, job_id, after=after, limit=KEPT)[0] if head.last_event > after else []
                progress = None if head.progress is None else _message("progress", _shown(head.progress))
                found[job_id] = head, [_numbered(event) for event in new], progress
        return found


def _update(feed: _Feed, found: tuple[Head, list[Numbered], bytes | None] | None, known: int) -> None:
    if feed.last != known:  # it is another feed than the one that was read for: all have left, and somebody has come
        return
    if found is None:
        feed.gone = True
        feed.tell()
        return
    head, new, progress = found
    if new and new[0][0] != feed.last + 1:
        feed.messages.clear()
    feed.messages.extend(new)
    news = bool(new) or progress != feed.progress or feed.head is None or head.state != feed.head.state
    feed.last = new[-1][0] if new else feed.last
    feed.head, feed.progress = head, progress
    if news:
        feed.tell()


def _numbered(event: JobEvent) -> Numbered:
    return event.seq, _message(event.type, EventOut.of(event).model_dump(mode="json"), event.seq)


def _shown(progress: dict[str, Any]) -> dict[str, Any]:
    return Progress.model_validate(progress).model_dump(mode="json", exclude_none=True)


def _message(type_: str, data: dict[str, Any], number: int | None = None) -> bytes:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {type_}\ndata: {json.dumps(data)}\n\n".encode()
