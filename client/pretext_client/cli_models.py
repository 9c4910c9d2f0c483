"""`pretext models`, and `download`: list encoders, fetch one, bring one's own, delete them."""

from pathlib import Path
from typing import Annotated

import typer

from pretext_client import completing
from pretext_client.cli_notes import WithMetadata, notes
from pretext_client.cli_parts import Force, Limit, ModelId, OfDataset, group, listing, put
from pretext_client.progress import download_with_bar, figure, model_with_bar
from pretext_client.session import session
from pretext_client.shown import bytes_, moment

app = group("Trained encoders: list, show, download, upload, compare, delete.")


@listing(app)
def list_models(
    context: typer.Context,
    dataset: OfDataset = None,
    task: Annotated[str | None, typer.Option(help="Only those of this pretext task.", autocompletion=completing.tasks)] = None,
    name: Annotated[str | None, typer.Option(help="Only those of exactly this name.")] = None,
    metadata: WithMetadata = None,
    limit: Limit = 100,
) -> None:
    """List the encoders."""
    with session(context) as run:
        of = run.client.datasets.find(dataset).id if dataset is not None else None
        found = list(run.client.models.list(task=task, name=name, dataset_id=of, metadata=notes(metadata), limit=limit))
        rows = [
            (
                one.id,
                one.encoder.get("name") if one.ends_at is None else f"{one.encoder.get('name')} to {one.ends_at}",
                one.task,
                one.image_size,
                bytes_(sum(file.bytes for file in one.files)),
                ", ".join(one.aliases),
                moment(one.created_at),
                one.name,
            )
            for one in found
        ]
        run.output.table(("id", "encoder", "task", "image size", "size", "aliases", "created", "name"), found, rows)


@app.command()
def show(context: typer.Context, model: ModelId) -> None:
    """Say what a model is of, and which files it has."""
    with session(context) as run:
        found = run.client.models.get(model)
        told = [f"{found.id}  {found.name}, {found.encoder.get('name')}, created {moment(found.created_at)}"]
        told += [f"{found.features} features of images of {found.image_size} px"] if found.features else []
        told += [f"features after {found.ends_at}"] if found.ends_at else []
        told += ["of: " + "  ".join(one for one in (found.dataset_id, found.job_id, found.made_from) if one)]
        told += [f"{name}: {figure(value)}" for name, value in found.metrics.items()]
        told += [f"aliases: {', '.join(found.aliases)}"] if found.aliases else []
        told += [f"{file.name}  {bytes_(file.bytes)}" for file in found.files]
        run.output.value(found, "\n".join(told))


@app.command()
def download(
    context: typer.Context,
    model: ModelId,
    directory: Annotated[Path | None, typer.Argument(help="Folder for its files. Default: one of the model's name.")] = None,
    force: Force = False,
) -> None:
    """Download a trained encoder: weights, configuration, model card."""
    with session(context) as run:
        run.interrupted = "Stopped; the same command goes on where this one was."
        put(run, download_with_bar(run.client, model, directory or Path(model), run.output.err, force=force))


@app.command()
def upload(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A safetensors file with the weights under torchvision's key names.")],
    encoder: Annotated[str, typer.Option(help="The network that they are of; `pretext encoders` lists them.")],
    image_size: Annotated[int, typer.Option(min=1, help="Side of the images that it was trained on, in pixels.")],
    stem: Annotated[str, typer.Option(help="Its first layers: `standard` is torchvision's own, `small` that for small images.")] = (
        "standard"
    ),
    name: Annotated[str | None, typer.Option(help="Name of the model. Default: made of the encoder and the file's name.")] = None,
) -> None:
    """Upload an encoder of your own, to start trainings from it."""
    with session(context) as run:
        run.interrupted = "Stopped; the upload was not finished, and the server keeps nothing of it."
        model = model_with_bar(run.client, file, run.output.err, encoder=encoder, stem=stem, image_size=image_size, name=name)
        run.output.value(model, f"{model.id}  {model.name}\nStart from it with: {run.prefix} train … --init-from {model.id}")


@app.command()
def delete(context: typer.Context, model: ModelId) -> None:
    """Delete a model and its files."""
    with session(context) as run:
        found = run.client.models.get(model)
        run.client.models.delete(found.id)
        run.output.value(found, f"{found.id}  deleted")
