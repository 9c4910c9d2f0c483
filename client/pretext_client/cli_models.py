"""`pretext models`: list encoders, bring one's own, delete them."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from pretext_client.progress import model_with_bar
from pretext_client.session import session
from pretext_client.shown import bytes_, moment

Limit = Annotated[int, typer.Option(min=1, help="How many to list at most, the newest first.")]

app = typer.Typer(invoke_without_command=True)


@app.callback()
def models(context: typer.Context, limit: Limit = 100) -> None:
    """List the encoders; upload one of your own, or delete one."""
    if context.invoked_subcommand is not None:
        return
    with session(context) as run:
        found = list(islice(run.client.models.list(), limit))
        rows = [
            (
                one.id,
                one.encoder.get("name") if one.ends_at is None else f"{one.encoder.get('name')} to {one.ends_at}",
                one.task,
                one.image_size,
                bytes_(sum(file.bytes for file in one.files)),
                moment(one.created_at),
            )
            for one in found
        ]
        run.output.table(("id", "encoder", "task", "image size", "size", "created"), found, rows)


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
def delete(context: typer.Context, model: Annotated[str, typer.Argument(help="Id of the model.")]) -> None:
    """Delete a model and its files."""
    with session(context) as run:
        found = run.client.models.get(model)
        run.client.models.delete(found.id)
        run.output.value(found, f"{found.id}  deleted")
