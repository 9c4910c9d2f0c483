"""What happens to a job, as it happens, for one page: a thread reads the server's stream, and the page takes what has come."""

import logging
import threading
from queue import Empty, SimpleQueue

from nicegui import ui
from pretext_client import Pretext, PretextError
from pretext_client.types import Event

from dashboard.calls import session

logger = logging.getLogger(__name__)
_PATIENCE_SECONDS = 24 * 3600.0
"""The stream is opened anew for so long: a page that stays open outlives a restart of the server."""


class Stream:
    """Events of a job, from its first one on, until it has ended or the page has been left.

    Args:
        job_id: the job.
        after: number of the last event that is known already.
    """

    def __init__(self, job_id: str, after: int = 0) -> None:
        self._job_id = job_id
        self._after = after
        self._come: SimpleQueue[Event] = SimpleQueue()
        self._anchor = ui.element("span").classes("unseen").props("aria-hidden=true")
        self.ended = threading.Event()
        threading.Thread(target=self._read, args=(session().client,), name=f"follow {job_id}", daemon=True).start()

    def take(self, most: int = 500) -> list[Event]:
        """What has come since the last time."""
        found: list[Event] = []
        try:
            while len(found) < most:
                found.append(self._come.get_nowait())
        except Empty:
            pass
        return found

    def _left(self) -> bool:
        """Whether the page is gone: its elements are deleted when another one takes their place, or the browser stays away."""
        return self._anchor.is_deleted

    def _read(self, client: Pretext) -> None:
        try:
            for event in client.jobs.events(
                self._job_id, after=self._after, follow=True, patience=_PATIENCE_SECONDS, stop=self._left
            ):
                self._come.put(event)
        except (PretextError, RuntimeError) as error:  # a client that was closed by a sign-out raises the second
            logger.debug("the events of %s can no longer be followed: %s", self._job_id, error)
        finally:
            self.ended.set()
