"""Keeps a warm process at hand, so that a training begins at once."""

import logging
import threading

from worker.child import Spare

logger = logging.getLogger(__name__)

_REST_SECONDS = 60
"""After one that could not be started or died by itself."""


class Spares:
    """Holds one spare process while trainings can begin. All are started by one thread, for they end with it."""

    def __init__(self) -> None:
        self._spare: Spare | None = None
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="spares", daemon=True)

    def start(self) -> None:
        """Begin to keep one."""
        self._wanted.set()
        self._thread.start()

    def take(self) -> Spare | None:
        """The spare, which the caller uses or closes. Until `refill` no other is started: the job has the cores."""
        with self._lock:
            spare, self._spare = self._spare, None
        return spare

    def refill(self) -> None:
        """Start another, if there is none."""
        self._wanted.set()

    def close(self) -> None:
        """End it, and start no more."""
        self._closed.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()
        spare = self.take()
        if spare is not None:
            spare.close()

    def _keep(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closed.is_set():
                return
            if not self._start_one() and self._closed.wait(_REST_SECONDS):
                return

    def _start_one(self) -> bool:
        with self._lock:
            if self._spare is not None and self._spare.waits:
                return True
            dead, self._spare = self._spare, None
            try:
                self._spare = Spare()
            except OSError as error:
                logger.warning("no spare process could be started, jobs will begin a few seconds later: %s", error)
        if dead is not None:
            dead.close()
        return dead is None and self._spare is not None
