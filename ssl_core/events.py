"""Events: what a running job says of itself, one JSON object a line.

A job that a worker supervises writes them to a pipe; one that runs alone in a shell shows them as text.
Every event has a `type`; `EVENT_TYPES` lists them with their fields.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

EVENT_TYPES = {
    "environment": "what the job runs on: `device`, `device_name`, `threads`, and the `versions` of packages",
    "progress": "how far it is: `phase`, `done`, `total`, `unit`; in training also `step`, `epoch`, `loss`, `accuracy`, …",
    "metrics": "figures of a `step` and `epoch`, in `values`",
    "log": "a `message` for people, with its `level` (`info` or `warning`)",
    "checkpoint": "a checkpoint of a `step` lies at `path` and is whole",
    "picture": "a PNG at `path` shows how the training does at the end of an `epoch` (0: before it) and at `step`: "
    "`caption`, a sentence for people; `width` and `height` in pixels",
    "memory": "the most memory that it took: `device`, `peak_bytes` (on a GPU what PyTorch had reserved, else of the process), "
    "`allocated_bytes` of tensors on a GPU, and `dataset_bytes` of it for the decoded dataset",
    "result": "the job has ended well; the other fields are what it made",
    "error": "the job cannot go on: `code`, and `message` that says what to do",
}


class Events(Protocol):
    """Where events go."""

    def emit(self, type_: str, **fields: Any) -> None:
        """Send one event. Never blocks for long and never raises: an event is not worth a training."""


class PipeEvents:
    """Events as JSON lines to a file descriptor, for a supervisor."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()

    def emit(self, type_: str, **fields: Any) -> None:
        line = json.dumps({"type": type_, "time": time.time(), **fields}, allow_nan=False, default=str)
        with self._lock:
            self._pipe.write(line + "\n")


class TextEvents:
    """Events as lines of text, for a person at a shell."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = 0.0

    def emit(self, type_: str, **fields: Any) -> None:
        if type_ == "progress":
            if time.monotonic() - self._shown < 1 and fields.get("done") != fields.get("total"):
                return
            self._shown = time.monotonic()
        told = "  ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in fields.items())
        self._stream.write(f"{type_:<11} {told}\n")
        self._stream.flush()


class Ticker:
    """Lets an action through at most once every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time again; if so, the wait starts anew."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


@contextmanager
def timed(events: Events, what: str) -> Iterator[None]:
    """Log how long a part of the job took."""
    start = time.monotonic()
    yield
    events.emit("log", level="info", message=f"{what}: {time.monotonic() - start:.1f} s")
