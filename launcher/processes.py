"""The API in several processes behind one port: for machines where one CPU core is too little for all requests.

One process listens, and the others accept from the same socket. One that dies is started again, and meanwhile the others answer.
"""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress

from prometheus_client import multiprocess

from launcher.parts import Part
from launcher.server import StartError
from records.database import Database
from records.queries import keys
from records.settings import Settings

_STOP_SECONDS = 12.0


def run(settings: Settings, stopping: Callable[[], object]) -> None:
    """Serve until told to stop.

    Args:
        settings: `api_processes` says how many.
        stopping: says whether it is time.

    Raises:
        StartError: the address cannot be listened on.
    """
    _accept_key(settings)
    with _listening(settings.host, settings.port) as listener, tempfile.TemporaryDirectory(prefix="pretext-figures-") as figures:
        environment = {
            **os.environ,
            "PRETEXT_HOST": settings.host,
            "PRETEXT_PORT": str(listener.getsockname()[1]),
            # They add up what they count in files there, so that `/metrics` says the same whoever answers.
            "PROMETHEUS_MULTIPROC_DIR": figures,
        }
        command = [sys.executable, "-m", "launcher", "api", "--listener", str(listener.fileno())]
        parts = [
            Part(f"API process {number}", command, environment, None, keep=[listener.fileno()])
            for number in range(1, settings.api_processes + 1)
        ]
        try:
            _look_after(parts, figures, stopping)
        finally:
            _stop(parts)


def _look_after(parts: list[Part], figures: str, stopping: Callable[[], object]) -> None:
    alive: set[int] = set()
    for part in parts:
        part.start()
    while not stopping():
        time.sleep(0.2)
        for part in parts:
            part.look_after()
        now = {part.pid for part in parts if part.pid is not None}
        for pid in alive - now:
            multiprocess.mark_process_dead(pid, figures)  # type: ignore[no-untyped-call]
        alive = now


def _stop(parts: list[Part]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    for part in parts:
        part.ask_to_stop()
    for part in parts:
        part.end(deadline)


def _accept_key(settings: Settings) -> None:
    """Once, and not by all at the same moment."""
    if settings.api_key is None:
        return
    database = Database(settings.database)
    with database.write() as session:
        keys.register(session, settings.api_key.get_secret_value(), "from PRETEXT_API_KEY")
    database.engine.dispose()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with suppress(OSError):
        return socket.create_server((host, port), family=family, backlog=2048)
    raise StartError(f"{host}:{port} cannot be listened on; choose another address by PRETEXT_HOST and PRETEXT_PORT")
