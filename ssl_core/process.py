"""The manners of a supervised process: it stops when asked, and never outlives its supervisor."""

import ctypes
import os
import signal
import threading
from types import FrameType

_PR_SET_PDEATHSIG = 1

EXIT_OK = 0
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 75
"""The run stopped because it was asked to, and can be resumed (EX_TEMPFAIL of sysexits.h)."""


class StopRequest:
    """Set by SIGTERM and SIGINT; the run looks at it between steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def install(self) -> None:
        """Turn SIGTERM and SIGINT into a request. The second SIGINT ends the process at once, for the impatient."""
        signal.signal(signal.SIGTERM, self._request)
        signal.signal(signal.SIGINT, self._request)

    def _request(self, number: int, _frame: FrameType | None) -> None:
        self._event.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def set(self) -> None:
        """Ask the run to stop."""
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()


def die_with(supervisor: int) -> None:
    """Have the kernel kill this process when its supervisor dies, so that two attempts at a job never run side by side."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:  # it died before the line above
        os.kill(os.getpid(), signal.SIGKILL)
