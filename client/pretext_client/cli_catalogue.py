"""`pretext tasks` and `pretext encoders`: what the server can train."""

import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, TypeVar

import typer

from pretext_client import completing
from pretext_client.cli_parts import group, listing
from pretext_client.errors import PretextError
from pretext_client.session import session
from pretext_client.types import Encoder, Task

NamedT = TypeVar("NamedT", Task, Encoder)

tasks = group("The pretext tasks and their settings.")
encoders = group("The networks that can be trained.")


@listing(tasks)
def list_tasks(context: typer.Context) -> None:
    """List the pretext tasks and their settings."""
    with session(context) as run:
        found = list(run.client.tasks())
        rows = [
            (
                one.name,
                one.modality,
                one.summary,
                " ".join(f"{key}={_value(value)}" for key, value in one.defaults.items() if key != "name"),
            )
            for one in found
        ]
        run.output.table(("name", "about", "what it asks", "settings"), found, rows)


@tasks.command("show")
def show_task(context: typer.Context, name: Annotated[str, typer.Argument(autocompletion=completing.tasks)]) -> None:
    """Say what a task asks, what it learns from, and every setting."""
    with session(context) as run:
        found = _named(name, "task", run.client.tasks())
        told = [f"{found.name}: {found.summary}", f"It learns from {found.learns_from}.", found.paper]
        if found.chance_accuracy is not None:
            told.append(f"Guessing has {found.chance_accuracy:.1%} accuracy.")
        about = found.schema.get("properties", {})
        for key, value in found.defaults.items():
            if key != "name":
                told += [
                    "",
                    f"--set task.{key}={_value(value)}",
                    f"    {' '.join(about.get(key, {}).get('description', '').split())}",
                ]
        run.output.value(found, "\n".join(line for line in told if line is not None))


@listing(encoders)
def list_encoders(context: typer.Context) -> None:
    """List the networks that can be trained."""
    with session(context) as run:
        found = list(run.client.encoders())
        rows = [
            (one.name, one.modality, one.family, f"{one.parameters or 0:.1f} M", one.features, one.min_image_size, one.summary)
            for one in found
        ]
        run.output.table(("name", "about", "family", "parameters", "features", "smallest image", "good for"), found, rows)


@encoders.command("show")
def show_encoder(context: typer.Context, name: Annotated[str, typer.Argument(autocompletion=completing.encoders)]) -> None:
    """Say what a network is."""
    with session(context) as run:
        found = _named(name, "encoder", run.client.encoders())
        told = [f"{found.name}: {found.summary}", f"of {found.modality}s, {found.parameters or 0:.1f} M parameters"]
        told.append(f"{found.features} features; images of at least {found.min_image_size} px")
        told.append(f"stages: {', '.join(found.stages)}")
        run.output.value(found, "\n".join(told))


def _value(default: object) -> str:
    """A default as `--set` takes it."""
    return default if isinstance(default, str) else json.dumps(default)


def _named(name: str, what: str, known: Iterable[NamedT]) -> NamedT:
    """The one of this name, or an error with what may have been meant."""
    there = {one.name: one for one in known}
    if name in there:
        return there[name]
    close = get_close_matches(name, list(there), n=2)
    told = f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(there)}."
    raise PretextError(f"there is no {what} {name!r}. {told}")
