"""The process that a job runs in, and the pipe that it tells its events by."""

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from records import context

logger = logging.getLogger(__name__)

_LAST_WORDS = 4000


_SECRETS = {"PRETEXT_API_KEY", "PRETEXT_DATABASE_URL", "PRETEXT_BROKER_URL", "PRETEXT_BLOBS_URL"}
"""What the service has passwords in, and a job has no use for."""


def _environment() -> dict[str, str]:
    """OpenMP's threads sleep while they wait, unless told otherwise: two jobs that spin on the same cores halve their speed."""
    return {"OMP_WAIT_POLICY": "PASSIVE", **{name: value for name, value in os.environ.items() if name not in _SECRETS}}


def _start(arguments: Sequence[str], *, stdin: int, output: BinaryIO | int) -> "tuple[subprocess.Popen[bytes], int]":
    """Start a process, and give it with the descriptor that its events are read from."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "ssl_core", *arguments, "--events-fd", str(writing), "--supervisor", str(os.getpid())]
    try:
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=output,
            stderr=output,
            pass_fds=[writing],
            start_new_session=True,
            env=_environment(),
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return process, reading


class Spare:
    """A process that loads what a training needs and waits for one.

    The kernel ends it with the thread that makes it: that has to be one that lives as long as the worker.
    """

    def __init__(self) -> None:
        self._process, self._reading = _start(["wait"], stdin=subprocess.PIPE, output=subprocess.DEVNULL)
        self._free = True

    @property
    def waits(self) -> bool:
        """Whether it is there and has nothing to do yet. It may still be loading; a command line waits for it then."""
        return self._free and self._process.poll() is None

    def take(self, arguments: Sequence[str], log: Path) -> "tuple[subprocess.Popen[bytes], int] | None":
        """Have it run a command line; as of `_start`. None if it is not there any more."""
        if not self.waits:
            return None
        order = json.dumps({"arguments": list(arguments), "log": str(log.resolve())})
        log.touch()
        assert self._process.stdin is not None
        try:
            with self._process.stdin as pipe:
                pipe.write(order.encode() + b"\n")
        except OSError:
            return None
        self._free = False
        return self._process, self._reading

    def close(self) -> None:
        """End it, if nobody took it."""
        if not self._free:
            return
        self._free = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        os.close(self._reading)


class Child:
    """`python -m ssl_core …` in a process group of its own, so that whatever it starts goes with it.

    Args:
        arguments: the command line behind `python -m ssl_core`.
        log: file that its standard output and error go to.
        spare: a process that takes the command line, if one is at hand; else one is started.
    """

    def __init__(self, arguments: Sequence[str], log: Path, spare: "Spare | None" = None) -> None:
        self._log = log
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        taken = spare.take(arguments, log) if spare is not None else None
        if taken is None:
            with log.open("ab") as output:
                taken = _start(arguments, stdin=subprocess.DEVNULL, output=output)
        self._process, reading = taken
        self._reader = context.thread(self._read, os.fdopen(reading, "rb"), name=f"events-{self.pid}")
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group as well."""
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """Its exit status (negative: the signal that ended it) once it has one, None if it runs on for so long.

        By then all that it ever said can be taken by `events`.
        """
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self.kill()  # what it may have left behind in its group, which would keep the pipe open
        self._reader.join(5)
        return status

    def events(self) -> list[dict[str, Any]]:
        """What it has said since the last call."""
        found = []
        while True:
            try:
                found.append(self._events.get_nowait())
            except queue.Empty:
                return found

    def ask_to_stop(self) -> None:
        """Have it write a checkpoint and end."""
        self._signal(signal.SIGTERM, group=False)

    def kill(self) -> None:
        """End it and all that it has started, at once."""
        self._signal(signal.SIGKILL, group=True)

    def close(self) -> None:
        """End it if it still runs, and leave nothing of it behind: no process, no zombie, no thread."""
        self.kill()
        self._process.wait()
        self._reader.join(5)

    def last_words(self) -> str:
        """The end of what it wrote to its standard output and error."""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - _LAST_WORDS))
            return file.read().decode("utf-8", "replace").strip()

    def _signal(self, number: signal.Signals, *, group: bool) -> None:
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def _read(self, pipe: BinaryIO) -> None:
        with pipe:
            for line in pipe:
                try:
                    event = json.loads(line)
                    event["type"] + ""
                except (ValueError, KeyError, TypeError):
                    logger.warning("the job said something that is no event: %.200r", line)
                    continue
                self._events.put(event)
