"""`pretext embeddings`: list the embeddings of datasets, see, download or delete them, and find samples that are alike."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from pretext_client import completing
from pretext_client.cli_parts import Force, Limit, OfModel, group, listing, put
from pretext_client.progress import embedding_with_bar
from pretext_client.session import Session, session
from pretext_client.shown import bytes_, moment
from pretext_client.types import Embedding
from pretext_client.vectors import check, write

app = group("Embeddings of whole datasets: list, show, find what is alike, download, delete.")

Id = Annotated[str, typer.Argument(help="Id of the embeddings.", autocompletion=completing.embeddings)]
_SHOWN = 4


@listing(app)
def list_embeddings(context: typer.Context, limit: Limit = 100, model: OfModel = None) -> None:
    """List the embeddings of datasets."""
    with session(context) as run:
        found = list(islice(run.client.embeddings.list(model_id=model), limit))
        rows = [
            (one.id, one.rows, one.features, _size(one), moment(one.created_at), one.stage, one.model_id, one.dataset_id)
            for one in found
        ]
        run.output.table(("id", "rows", "features", "size", "created", "stage", "model", "dataset"), found, rows)


@app.command()
def show(context: typer.Context, embedding: Id) -> None:
    """Say what embeddings are of, and which files they have."""
    with session(context) as run:
        found = run.client.embeddings.get(embedding)
        told = [f"{found.id}  {found.rows:,} embeddings of {found.features} numbers, {_size(found)}", *_about(found)]
        run.output.value(found, "\n".join(told))


@app.command()
def neighbors(
    context: typer.Context,
    embedding: Id,
    sample: Annotated[int, typer.Argument(help="Number of a sample, from 0; `pretext datasets samples` lists them.", min=0)],
    limit: Annotated[int, typer.Option(help="How many to find.", min=1, max=100)] = 12,
) -> None:
    """Find the samples that the encoder finds the most like one of them."""
    with session(context) as run:
        found = run.client.embeddings.neighbors(embedding, sample, limit=limit)
        rows = [(one.index, one.path, one.label, f"{one.similarity:.4f}") for one in found.data]
        run.output.note(f"Like {found.path}{f', {found.label}' if found.label else ''}, by the cosine:")
        run.output.table(("sample", "path", "label", "similarity"), found.data, rows)


@app.command()
def download(
    context: typer.Context,
    embedding: Id,
    directory: Annotated[Path | None, typer.Argument(help="Folder for them. Default: one of the embeddings' name.")] = None,
    force: Force = False,
) -> None:
    """Download the Parquet files."""
    with session(context) as run:
        run.interrupted = "Stopped; the same command goes on where this one was."
        put(run, embedding_with_bar(run.client, embedding, directory or Path(embedding), run.output.err, force=force))


@app.command()
def delete(context: typer.Context, embedding: Id) -> None:
    """Delete embeddings. The model and the dataset stay."""
    with session(context) as run:
        found = run.client.embeddings.get(embedding)
        run.client.embeddings.delete(found.id)
        run.output.value(found, f"{found.id}  deleted")


def at_once(run: Session, model: str, images: list[Path], *, stage: str | None, normalize: bool, out: Path | None) -> None:
    """Embed image files, and show or write what comes."""
    if out is not None:
        check(out)
    embedded = run.client.models.embed(model, images, stage=stage, normalize=normalize)
    names = [str(path) for path in images]
    if out is not None:
        write(out, names, embedded)
    if run.output.as_json:
        run.output.json(embedded.raw)
    elif out is not None:
        run.output.say(f"{len(names)} embeddings of {embedded.features} numbers in {out}")
    else:
        rows = [
            (name, " ".join(f"{value:.4g}" for value in one.embedding[:_SHOWN]) + " …")
            for name, one in zip(names, embedded.data, strict=True)
        ]
        run.output.table(("image", f"embedding of {embedded.features} numbers"), embedded.data, rows)
        run.output.note("All of them: --json, or --out FILE with the ending .npy, .csv or .json.")


def _size(found: Embedding) -> str:
    return bytes_(sum(file.bytes for file in found.files))


def _about(found: Embedding) -> list[str]:
    lines = [f"by {found.model_id} of {found.dataset_id}, {'after ' + found.stage if found.stage else 'its own features'}"]
    if found.normalized:
        lines.append("each of length 1")
    if found.left_out:
        lines.append(f"{found.left_out:,} videos are too short for a clip and not among them")
    return [*lines, *(f"{file.name}  {bytes_(file.bytes)}" for file in found.files)]
