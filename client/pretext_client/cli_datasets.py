"""`pretext datasets`, and `upload`, `report`, `delete`: images and videos on the server."""

from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from pretext_client import completing
from pretext_client.bound import Dataset
from pretext_client.cli_labels import label, labels
from pretext_client.cli_notes import Metadata, WithMetadata, notes
from pretext_client.cli_parts import DatasetRef, First, Limit, group, listing
from pretext_client.cli_previews import preview
from pretext_client.progress import upload_with_bar
from pretext_client.session import EXIT_FAILED, Session, session
from pretext_client.shown import bytes_, moment, outline, words
from pretext_client.watching import ingested

_REFUSED_SHOWN = 10

app = group("Images and videos on the server: list, create, show, label, delete.")


class Kind(StrEnum):
    """What is in an upload."""

    auto = "auto"
    image = "image"
    video = "video"


@app.command("create")
def upload(
    context: typer.Context,
    path: Annotated[list[Path], typer.Argument(help="An archive, an image or video, a folder, or several of these.")],
    name: Annotated[str | None, typer.Option(help="Name of the dataset. Default: that of the file or folder.")] = None,
    kind: Annotated[
        Kind, typer.Option(help="What is in it. auto: guessed; with video, a folder of numbered images is a clip.")
    ] = Kind.auto,
    metadata: Metadata = None,
    reuse: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="Do not send files that this dataset has. Default: the newest of the same name, if there is one.",
            autocompletion=completing.datasets,
        ),
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Send every file, whatever the server has.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until every image or video is checked.")] = True,
) -> None:
    """Upload images or videos. No labels and no class folders are needed.

    Of a folder that was uploaded before, only what is new or changed is sent.
    """
    with session(context) as run:
        run.interrupted = "Stopped. Of a large upload the server keeps what has arrived: the same command goes on from there."
        source = path[0] if len(path) == 1 else path
        if whole and reuse is not None:
            raise typer.BadParameter("--whole sends every file, and --reuse leaves some out; give one of them")
        dataset = upload_with_bar(
            run.client,
            source,
            run.output.err,
            name=name,
            kind=kind.value,
            metadata=notes(metadata),
            reuse=not whole if reuse is None else reuse,
        )
        _tell(run, ingested(run, dataset) if wait else dataset)


@app.command("wait")
def wait_for(context: typer.Context, dataset: DatasetRef) -> None:
    """Wait until every image or video of a dataset is checked."""
    with session(context) as run:
        _tell(run, ingested(run, run.client.datasets.find(dataset)))


def _tell(run: Session, dataset: Dataset) -> None:
    run.output.value(dataset, _about(run, dataset))
    if dataset.refused:
        _tell_refused(run, dataset)
    if dataset.state == "failed":
        raise typer.Exit(EXIT_FAILED)


def _tell_refused(run: Session, dataset: Dataset) -> None:
    """The first files that were refused, each with its reason."""
    for one in islice(run.client.datasets.refused(dataset.id), _REFUSED_SHOWN):
        run.output.note(f"refused: {one.name}: {one.reason}")
    more = (dataset.refused or 0) - _REFUSED_SHOWN
    if more > 0:
        run.output.note(f"… and {more:,} more: {run.prefix} report {dataset.id}")


def _about(run: Session, dataset: Dataset) -> str:
    if dataset.state == "failed":
        return f"{dataset.id}  cannot be used: {dataset.error.message if dataset.error else 'its ingest has failed'}"
    if dataset.images is None and dataset.videos is None:
        return f"{dataset.id}  {dataset.state}"
    refused = f", {dataset.refused:,} refused ({run.prefix} report {dataset.id})" if dataset.refused else ""
    classes = f", labels of {len(dataset.labels)} classes (not used for pretraining)" if dataset.labels else ""
    what = (
        f"{dataset.images:,} images" if dataset.videos is None else f"{dataset.videos:,} videos of {dataset.frames or 0:,} frames"
    )
    return f"{dataset.id}  {what}{refused}{classes}"


@listing(app)
def list_datasets(
    context: typer.Context,
    limit: Limit = 100,
    state: Annotated[str | None, typer.Option(help="Only those in this state: ingesting, ready or failed.")] = None,
    name: Annotated[str | None, typer.Option(help="Only those of exactly this name.")] = None,
    metadata: WithMetadata = None,
) -> None:
    """List the datasets."""
    with session(context) as run:
        found = list(islice(run.client.datasets.list(state=state, name=name, metadata=notes(metadata)), limit))
        rows = [
            (
                one.id,
                one.name,
                one.state,
                one.kind,
                one.images or one.videos,
                one.refused,
                bytes_(one.bytes or 0),
                moment(one.created_at),
            )
            for one in found
        ]
        run.output.table(("id", "name", "state", "kind", "samples", "refused", "size", "created"), found, rows)


@app.command("show")
def show(context: typer.Context, dataset: DatasetRef) -> None:
    """Say what a dataset has, in a line or, with --json, in full."""
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        lines = [_about(run, found), f"called {found.name}, uploaded {moment(found.created_at)}, {bytes_(found.bytes or 0)}"]
        if found.label_counts:
            lines.append("labels: " + ", ".join(f"{name} {count:,}" for name, count in found.label_counts.items()))
        run.output.value(found, "\n".join(lines))


@app.command()
def report(context: typer.Context, dataset: DatasetRef) -> None:
    """Tell what was found in an upload, and what was refused and why."""
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        told = run.client.datasets.report(found.id)
        if run.output.as_json:
            run.output.json(told.raw)
            return
        run.output.say(_about(run, found))
        for key, value in told.report.items():
            if key != "shards" and value not in (None, {}, []):
                run.output.say(f"{words(key)}: {outline(value)}")
        refused = list(told.refused)
        if refused:
            run.output.table(("refused", "why"), refused, [(one.name, one.reason) for one in refused])
        if told.more_refused:
            run.output.note(f"… and more, {found.refused:,} in all")


@app.command()
def samples(context: typer.Context, dataset: DatasetRef, limit: First = 100) -> None:
    """List the images or videos of a dataset, in the order of the upload."""
    with session(context) as run:
        found = list(run.client.datasets.samples(run.client.datasets.find(dataset).id, limit=limit))
        rows = [(one.index, one.path, f"{one.width} x {one.height}", one.label, one.split) for one in found]
        run.output.table(("index", "path", "pixels", "label", "split"), found, rows)


@app.command()
def delete(context: typer.Context, dataset: DatasetRef) -> None:
    """Delete a dataset. Models that were trained on it stay."""
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        run.client.datasets.delete(found.id)
        run.output.value(found, f"{found.id}  deleted")


app.command()(label)
app.command()(labels)
app.command()(preview)
