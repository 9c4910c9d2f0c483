"""The command line of the server."""

import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer

from launcher.server import Server, StartError
from records.log import set_up_logging
from records.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

Device = Literal["auto", "cpu", "cuda"]
DataDir = Annotated[Path | None, typer.Option(help="Folder for everything that the server keeps. [PRETEXT_DATA_DIR]")]
Host = Annotated[str | None, typer.Option(help="Address to listen on. [PRETEXT_HOST; 127.0.0.1]")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on, 0 for any. [PRETEXT_PORT; 8000]")]
Workers = Annotated[int | None, typer.Option(min=1, max=64, help="Trainings to run at a time. [PRETEXT_WORKERS; 1]")]
DeviceOption = Annotated[Device | None, typer.Option(help="What to train on. [PRETEXT_DEVICE; auto]")]


def _settings(**options: object) -> Settings:
    return Settings(**{name: value for name, value in options.items() if value is not None})  # type: ignore[arg-type]


@app.command()
def up(
    data_dir: DataDir = None, host: Host = None, port: Port = None, workers: Workers = None, device: DeviceOption = None
) -> None:
    """Run the whole service on this machine until Ctrl-C: database, queue, API and a worker."""
    settings = _settings(data_dir=data_dir, host=host, port=port, workers=workers, device=device)
    set_up_logging(settings)
    stopping = _stop_on_signals()
    with Server(settings) as server:
        print(f"Pretext Server   {server.url}")
        if server.sign_in_url:
            print(f"sign in          {server.sign_in_url}   (works once)")
        print(f"docs             {server.url}/docs")
        print(f"key              in {server.key_file}", flush=True)
        while not stopping:
            time.sleep(0.2)
            server.look_after()
        print("stopping …", flush=True)


@app.command()
def api(
    host: Host = None,
    port: Port = None,
    page: Annotated[bool, typer.Option("--page", help="Serve the web page on the same port.", hidden=True)] = False,
    listener: Annotated[int | None, typer.Option(help="Descriptor of a socket that listens already.", hidden=True)] = None,
) -> None:
    """Run the API alone, for many machines. Settings come from PRETEXT_ variables."""
    settings = _settings(host=host, port=port)
    if settings.api_processes > 1 and listener is None and not page:
        from launcher import processes

        set_up_logging(settings)
        stopping = _stop_on_signals()
        processes.run(settings, lambda: stopping)
        return
    from api.app import served
    from api.server import serve
    from launcher.web import with_page

    application = served(settings)
    whole = with_page(application, settings) if page else application
    serve(whole, settings.host, settings.port, application.state.services.feeds, listener)


@app.command()
def dashboard(
    url: Annotated[str | None, typer.Option(help="Address of the API. [PRETEXT_URL]")] = None, host: Host = None, port: Port = None
) -> None:
    """Run the web page alone, in front of an API elsewhere. Who opens it signs in with a key of that API."""
    from api.server import serve
    from launcher.web import page_alone

    url = url or os.environ.get("PRETEXT_URL")
    if not url:
        _fail("give the address of the API by --url or PRETEXT_URL")
    settings = _settings(host=host, port=port)
    serve(page_alone(settings, str(url)), settings.host, settings.port)


@app.command()
def worker(
    workers: Workers = None,
    device: DeviceOption = None,
    check: Annotated[bool, typer.Option("--check", help="Tell by the exit status whether this host's worker is alive.")] = False,
) -> None:
    """Run a worker alone, for many machines. Settings come from PRETEXT_ variables."""
    settings = _settings(workers=workers, device=device)
    if check:
        _check_worker(settings)
        return
    from worker.app import run

    try:
        sys.exit(run(settings))
    except RuntimeError as error:
        _fail(str(error))


@app.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    from records.migrate import migrate as run

    settings = Settings()
    run(settings.database)
    print("the database is up to date")


@app.command()
def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be freed, and free nothing.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Free bytes that nobody needs any more: blobs without a record, expired uploads, decoded images of deleted datasets.

    Workers do it by themselves every PRETEXT_SWEEP_HOURS. It can be run beside a running server.
    """
    from launcher.sweep import run

    run(_settings(data_dir=data_dir), dry_run=dry_run)


@app.command()
def demo(
    data: Annotated[Path | None, typer.Argument(help="Your own pictures: a folder, an archive or an image.", exists=True)] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Length of the training in steps.")] = None,
    device: DeviceOption = None,
) -> None:
    """Do the main job once in a throw-away folder: upload, train, watch, download, compare."""
    from launcher.demo import run

    try:
        run(data, steps=steps, device=device or "auto")
    except StartError as error:
        _fail(str(error))


def _check_worker(settings: Settings) -> None:
    """What a container's health check asks: whether the worker writes into the database that it is there."""
    from sqlalchemy.exc import DBAPIError

    from records.database import Database
    from records.queries import workers

    try:
        with Database(settings.database).read() as session:
            alive = workers.alive_on(session, socket.gethostname())
    except DBAPIError as error:
        _fail(f"the database does not answer: {error.orig}")
    if not alive:
        _fail(f"no worker of {socket.gethostname()} has been seen for {workers.ALIVE_SECONDS} s")
    print("alive")


def _stop_on_signals() -> list[int]:
    """A list that is empty until SIGINT or SIGTERM comes."""
    got: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        got.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return got


def _fail(message: str) -> None:
    print(f"pretext-server: {message}", file=sys.stderr)
    sys.exit(1)


def main() -> None:
    """Entry point."""
    os.umask(0o077)
    try:
        app()
    except StartError as error:
        _fail(str(error))
