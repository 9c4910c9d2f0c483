"""`pretext datasets preview`: what a pretext task does to a dataset, in a picture."""

from pathlib import Path
from typing import Annotated

import typer

from pretext_client import completing
from pretext_client.cli_parts import DatasetRef, put
from pretext_client.session import session


def preview(
    context: typer.Context,
    dataset: DatasetRef,
    task: Annotated[str, typer.Option(help="The pretext task; `pretext tasks` lists them.", autocompletion=completing.tasks)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for it. Default: one of the task's name.")] = None,
) -> None:
    """Draw what a pretext task does to a dataset: what the network sees of a few samples, and what is right. A WebP."""
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        path = out or Path(f"{task}.webp")
        path.write_bytes(run.client.datasets.preview(found.id, task))
        put(run, (path,))
