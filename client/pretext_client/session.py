"""What one command works with, and how it ends: exit statuses and errors are decided here."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import typer

from pretext_client.client import Pretext
from pretext_client.console import Color, Output
from pretext_client.errors import ConnectionFailed, PretextError, Unauthorized

EXIT_FAILED = 1
"""A job has failed, or the server has refused."""
EXIT_UNREACHABLE = 3
EXIT_UNAUTHORIZED = 4
EXIT_INTERRUPTED = 130
EXIT_STATUSES = {
    0: "Done.",
    EXIT_FAILED: "Refused, or failed; or a job that was watched has not succeeded: it has failed, or was cancelled or paused.",
    2: "Wrong usage.",
    EXIT_UNREACHABLE: "The server cannot be reached.",
    EXIT_UNAUTHORIZED: "The key is missing or not valid, or may not do this.",
    EXIT_INTERRUPTED: "Ctrl-C. Jobs go on at the server.",
}


@dataclass
class Session:
    """The server and the terminal of one command.

    Args:
        client: the server.
        output: the terminal.
        prefix: how the command was called, with the options that lead to the same server.
        interrupted: what to say at Ctrl-C.
    """

    client: Pretext
    output: Output
    prefix: str
    interrupted: str = "Stopped."


@dataclass(frozen=True)
class Options:
    """The options in front of the command."""

    url: str | None
    api_key: str | None
    json: bool
    profile: str | None = None
    color: Color = "auto"

    @property
    def prefix(self) -> str:
        """How to call the command again so that it finds the same server."""
        told = f" --profile {self.profile}" if self.profile else ""
        return f"pretext{told} --url {self.url}" if self.url else f"pretext{told}"


@contextmanager
def session(context: typer.Context) -> Iterator[Session]:
    """Open the session of a command; whatever goes wrong in it ends as one line and an exit status."""
    options: Options = context.obj
    output = Output(as_json=options.json, color=options.color)
    opened: Session | None = None
    try:
        with Pretext(options.url, options.api_key, profile=options.profile) as client:
            opened = Session(client, output, options.prefix)
            yield opened
            sys.stdout.flush()
    except BrokenPipeError:
        # `pretext jobs | head`: nobody reads any more. What is still buffered goes nowhere, without a complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        output.note(opened.interrupted if opened else "Stopped.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except Unauthorized as error:
        output.error(error)
        if error.status == 401 and opened is not None and opened.client.has_key:
            output.note(f"Is the key right, and not revoked or expired? `pretext login {opened.client.url}` stores another one.")
        raise typer.Exit(EXIT_UNAUTHORIZED) from None
    except ConnectionFailed as error:
        output.error(error)
        raise typer.Exit(EXIT_UNREACHABLE) from None
    except (PretextError, OSError) as error:
        output.error(error)
        raise typer.Exit(EXIT_FAILED) from None
