"""The processes of a server on one machine: started, restarted when they die, and stopped together."""

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_LONGEST_PAUSE = 10.0
_STEADY_SECONDS = 30.0


class Part:
    """One process of the server.

    Args:
        name: what it is called in messages.
        command: how it is started.
        environment: its environment.
        log: file for what it prints; the terminal if none is given.
        keep: file descriptors that it shares.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: dict[str, str], log: Path | None, keep: Sequence[int] = ()
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = environment
        self._log = log
        self._keep = tuple(keep)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 0.5
        self._restart_at: float | None = None

    def start(self) -> None:
        """Start it, in a session of its own: a Ctrl-C at the terminal is for the launcher, which stops its parts in order."""
        output = self._log.open("ab") if self._log else None
        try:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=self._keep,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  the launcher has one thread
            )
        finally:
            if output is not None:
                output.close()
        self._started = time.monotonic()
        self._restart_at = None

    def look_after(self) -> None:
        """Restart it if it has died; at once the first time, then with growing pauses as long as it does not keep running."""
        if self._restart_at is not None:
            if time.monotonic() >= self._restart_at:
                self.start()
            return
        if self.running:
            return
        now = time.monotonic()
        self._pause = 0.5 if now - self._started > _STEADY_SECONDS else min(self._pause * 2, _LONGEST_PAUSE)
        self._restart_at = now + self._pause
        status = self._process.returncode if self._process else None
        logger.warning("%s ended with status %s; starting it again in %.0f s", self.name, status, self._pause)

    @property
    def running(self) -> bool:
        """Whether it is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self.running else None

    def ask_to_stop(self) -> None:
        """Ask it to end in good order."""
        if self._process is not None and self.running:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for its end until a moment of the monotonic clock, then end it and all in its session."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("%s did not stop in time and is ended now", self.name)
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._process.wait()


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
