"""`--metadata place=Oslo`: notes on what is made, and what lists are narrowed by."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

Metadata = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="KEY=VALUE", help="A note of yours on it, such as place=Oslo; several times."),
]
WithMetadata = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="KEY=VALUE", help="Only those with this note; several times for all of them."),
]


def notes(texts: Iterable[str] | None) -> dict[str, str]:
    """What was given by `--metadata`. What is no note is wrong usage."""
    found: dict[str, str] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{text!r} is no note; write key=value, such as place=Oslo", param_hint="--metadata")
        if key in found:
            raise typer.BadParameter(f"{key!r} is given twice", param_hint="--metadata")
        found[key] = value
    return found


def noted(settings: dict[str, Any], texts: Iterable[str] | None) -> None:
    """Put notes into the settings of a job, beside those of `--set metadata.place=Oslo`."""
    if texts:
        settings["metadata"] = {**settings.get("metadata", {}), **notes(texts)}
