"""`pretext label` and `pretext labels`: give a dataset labels, and read them."""

import csv
import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from pretext_client import completing
from pretext_client.cli_parts import put
from pretext_client.session import session
from pretext_client.types import Labelled

_SHOWN = 10
_SHOWN_CLASSES = 20

Dataset = Annotated[str, typer.Argument(help="Id or name of the dataset.", autocompletion=completing.datasets)]


def label(
    context: typer.Context,
    dataset: Dataset,
    table: Annotated[Path | None, typer.Argument(help="A CSV file: file,label and, if you like, split.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would come of it.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Files that the table does not name keep their labels.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take away labels that were given so; no table is needed.")] = False,
) -> None:
    """Give a dataset labels by a table, and tell what of it does not fit.

    A file is named by its path in the upload, or by an end of it that no other file has.
    """
    if remove == (table is not None):
        raise typer.BadParameter("give a table, or --remove without one", param_hint="TABLE")
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        if table is None:
            run.client.datasets.unlabel(found.id)
            left = run.client.datasets.get(found.id)
            told = f"those of {len(left.labels)} class folders are there again" if left.labels else "it has no labels now"
            run.output.value(left, f"{found.id}  {told}")
            return
        labelled = run.client.datasets.label(found.id, table, merge=merge, dry_run=dry_run)
        run.output.value(labelled, "\n".join(_lines(labelled)))


def labels(
    context: typer.Context,
    dataset: Dataset,
    out: Annotated[Path | None, typer.Option(help="File for it. Default: standard output.")] = None,
) -> None:
    """Write the labels of a dataset as a table of all its files, to look at or to fill in."""
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        if run.output.as_json and out is None:
            whole = b"".join(run.client.datasets.labels(found.id)).decode()
            run.output.json(list(csv.DictReader(io.StringIO(whole, newline=""))))
            return
        if out is None:
            for piece in run.client.datasets.labels(found.id):
                sys.stdout.buffer.write(piece)
            return
        partial = out.with_name(f".{out.name}.part")
        try:
            with partial.open("wb") as file:
                for piece in run.client.datasets.labels(found.id):
                    file.write(piece)
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
        put(run, (out,))


def _lines(found: Labelled) -> list[str]:
    """A report in words."""
    done = "labelled" if found.applied else "not changed, a dry run"
    lines = [f"{found.dataset_id}  {done}: {found.matched:,} of {found.lines:,} lines name a file of it"]
    counts = sorted(found.classes.items(), key=lambda one: -one[1])
    shown = ", ".join(f"{name} {count:,}" for name, count in counts[:_SHOWN_CLASSES])
    more = f", and {len(counts) - _SHOWN_CLASSES:,} more" if len(counts) > _SHOWN_CLASSES else ""
    lines.append(f"{len(counts):,} classes: {shown}{more}" if counts else "no classes")
    if found.splits:
        lines.append("splits: " + ", ".join(f"{name} {count:,}" for name, count in found.splits.items()))
    lines += _trouble(
        "lines were not used", found.unmatched, [f"line {x.line}: {x.file}: {x.reason}" for x in found.first_unmatched]
    )
    told = [
        f"{one.file}: line {one.lines[0]} says {one.said[0]}, line {one.lines[1]} says {one.said[1]}"
        for one in found.first_conflicts
    ]
    lines += _trouble("files are labelled differently by several lines, so by none", found.conflicts, told)
    if found.duplicates:
        lines.append(f"{found.duplicates:,} lines say the same once more")
    lines += _trouble("files of the dataset have no label", found.unlabelled, list(found.first_unlabelled), most=3)
    return lines


def _trouble(what: str, count: int, examples: list[str], most: int = _SHOWN) -> list[str]:
    if not count:
        return []
    shown = [f"  {one}" for one in examples[:most]]
    return [f"{count:,} {what}:", *shown, *([f"  … and {count - len(shown):,} more"] if count > len(shown) else [])]
