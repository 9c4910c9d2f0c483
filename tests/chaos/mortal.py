"""`pretext-server worker` that is killed by SIGKILL at chosen points of its code, each once for all workers of a town.

A point is a file in the folder that CHAOS_POINTS names; the worker that reaches it first removes it, and is gone.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from celery.worker.consumer import Consumer

from launcher.main import main
from records.blobs import LocalBlobs
from records.states import JobState
from worker.attempt import Attempt

POINTS = ("claimed", "decoding", "training", "checkpoint", "exporting", "storing", "committing", "committed")
"""In the order in which a job passes them."""
LISTENING = "listening"
"""Where no worker dies, but Celery fails as it can when it has lost its broker."""
_STEP = 10


def is_first_at(point: str) -> bool:
    """Whether the point is chosen, and no worker has come there before."""
    try:
        (Path(os.environ["CHAOS_POINTS"]) / point).unlink()
    except FileNotFoundError:
        return False
    return True


def die_at(point: str) -> None:
    """End here, unless another worker already has."""
    if is_first_at(point):
        os.kill(os.getpid(), signal.SIGKILL)


def told(event: dict[str, Any]) -> None:
    """Die where the child says that it is."""
    phase = event.get("phase")
    if phase == "decode":
        die_at("decoding")
    elif phase == "export":
        die_at("exporting")
    elif event["type"] == "metrics" and event["step"] >= _STEP:
        die_at("training")


def stored(key: str) -> None:
    """Die where a blob lies in the store and no record knows of it."""
    if "/checkpoints/" in key:
        die_at("checkpoint")
    elif key.startswith("models/"):
        die_at("storing")


def install() -> None:
    """Wrap what leads to the points. Nothing else of the worker is changed."""
    run, take, end = Attempt.run, Attempt._take, Attempt._end
    put, delete, listen = LocalBlobs.put, LocalBlobs.delete, Consumer.start

    def running(self: Attempt) -> None:
        if "pretrain" in self._arguments:
            die_at("claimed")
        run(self)

    def taking(self: Attempt, events: list[dict[str, Any]]) -> None:
        take(self, events)
        for event in events:
            told(event)

    def ending(self: Attempt, session: Any, job: Any, outcome: Any) -> None:
        end(self, session, job, outcome)
        session.flush()
        if job.kind == "pretrain" and job.state == JobState.SUCCEEDED:
            die_at("committing")

    def putting(self: LocalBlobs, key: str, path: Path) -> None:
        put(self, key, path)
        stored(key)

    def deleting(self: LocalBlobs, prefix: str) -> None:
        if prefix.endswith("/checkpoints"):
            die_at("committed")
        delete(self, prefix)

    def listening(self: Consumer) -> None:
        if is_first_at(LISTENING):
            raise AttributeError("'NoneType' object has no attribute 'hostname'")
        listen(self)

    Consumer.start = listening
    Attempt.run, Attempt._take, Attempt._end = running, taking, ending  # type: ignore[method-assign]
    LocalBlobs.put, LocalBlobs.delete = putting, deleting  # type: ignore[method-assign]


if __name__ == "__main__":
    install()
    sys.argv[0] = "pretext-server"
    main()
