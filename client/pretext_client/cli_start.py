"""`pretext train`, `evaluate`, `embed` and `export`: what starts a job."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from pretext_client import cli_embeddings, completing
from pretext_client import settings as given
from pretext_client.cli_parts import DatasetRef, ModelId, Settings, Watch
from pretext_client.errors import InvalidRequest
from pretext_client.session import Session, session
from pretext_client.watching import ingested, queued


def train(
    context: typer.Context,
    dataset: DatasetRef,
    task: Annotated[
        str | None,
        typer.Option(
            help="The pretext task; `pretext tasks` lists them. Default: rotation, of clips for videos.",
            autocompletion=completing.tasks,
        ),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="The network; `pretext encoders` lists them.", autocompletion=completing.encoders)
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            help="Id of a model to begin with, instead of random weights; `pretext models` lists them.",
            autocompletion=completing.models,
        ),
    ] = None,
    set_: Settings = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Find out afterwards how many labels it saves; the dataset needs labels for that.")
    ] = False,
    watch: Watch = False,
) -> None:
    """Pretrain an encoder. Everything but the dataset has a good default."""
    with _settings():
        settings = given.parse(set_ or ())
        task_settings = given.named(settings, "task", task)
        encoder_settings = given.named(settings, "encoder", encoder)
        init_from = given.single(settings, "init_from", init_from)
    if evaluate:
        settings.setdefault("evaluate", {})
    with session(context) as run:
        found = ingested(run, run.client.datasets.find(dataset))
        encoder_or_none = encoder_settings or None
        task_settings = {"name": "video_rotation" if found.kind == "video" else "rotation", **task_settings}
        with _suggestions(run, task_settings, encoder_settings):
            job = run.client.jobs.create(found.id, task=task_settings, encoder=encoder_or_none, init_from=init_from, **settings)
        queued(run, job, watch=watch)


def evaluate(
    context: typer.Context,
    model: ModelId,
    dataset: Annotated[str, typer.Argument(help="Id or name of a dataset with labels.", autocompletion=completing.datasets)],
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            help="knn, linear, retrieval, fine_tune, label_efficiency or robustness; several times. Default: all but fine_tune and "
            "robustness.",
            autocompletion=lambda: list(given.PROTOCOLS),
        ),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of another model to measure beside, such as one of ImageNet; up to three times.",
            autocompletion=completing.models,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as seed=1 or label_efficiency.draws=5."),
    ] = None,
    watch: Watch = False,
) -> None:
    """Find out how many labels an encoder saves."""
    with _settings():
        settings = given.parse(set_ or ())
        protocols = given.protocols(settings, protocol)
        references = given.single(settings, "references", reference or None)
    with session(context) as run:
        found = ingested(run, run.client.datasets.find(dataset))
        job = run.client.jobs.evaluate(model, found.id, protocols=protocols, references=references, **settings)
        queued(run, job, watch=watch)


def embed(
    context: typer.Context,
    model: ModelId,
    what: Annotated[list[str], typer.Argument(help="Image files, embedded at once; or the id or name of a dataset.")],
    stage: Annotated[
        str | None, typer.Option(help="After which stage of the encoder, such as layer3. Default: its features.")
    ] = None,
    normalize: Annotated[bool, typer.Option("--normalize", help="Scale each embedding to length 1.")] = False,
    out: Annotated[Path | None, typer.Option(help="Of images: file to write, .npy, .csv or .json.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Of a dataset: a setting, such as batch_size=64.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Of a dataset: watch it to its end.")] = False,
) -> None:
    """Embed a few images at once, or a whole dataset into Parquet files."""
    images = [Path(one) for one in what]
    with _settings():
        settings = given.parse(set_ or ())
    with session(context) as run:
        if all(path.is_file() for path in images):
            cli_embeddings.at_once(run, model, images, stage=stage, normalize=normalize, out=out)
            return
        if len(what) > 1:
            missing = next(path for path in images if not path.is_file())
            raise typer.BadParameter(f"{missing} is no file; give image files, or the id or name of one dataset")
        found = ingested(run, run.client.datasets.find(what[0]))
        job = run.client.jobs.embed(model, found.id, stage=stage, normalize=normalize, **settings)
        queued(run, job, watch=watch)


def export(
    context: typer.Context,
    model: ModelId,
    stage: Annotated[
        str | None,
        typer.Option(help="Where the encoder ends, such as layer3, or best: what an evaluation found. Default: where it ends now."),
    ] = None,
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="onnx or pt2, beside the weights; several times. Default: both.")
    ] = None,
    watch: Watch = False,
) -> None:
    """Make another model of an encoder: with the features of another stage, or in other formats."""
    with session(context) as run:
        job = run.client.models.export(model, stage=stage, formats=format_)
        queued(run, job, watch=watch)


@contextmanager
def _settings() -> Iterator[None]:
    """A `--set` that cannot be understood is wrong usage."""
    try:
        yield
    except given.SettingError as error:
        raise typer.BadParameter(str(error)) from None


@contextmanager
def _suggestions(run: Session, task: dict[str, Any], encoder: dict[str, Any]) -> Iterator[None]:
    """Names that may have been meant, where the server knows no such task or encoder."""
    try:
        yield
    except InvalidRequest as error:
        known: Iterable[Any] = ()
        asked = ""
        if error.param in {"task", "task.name"}:
            known, asked = run.client.tasks(), str(task.get("name"))
        elif error.param in {"encoder", "encoder.name"}:
            known, asked = run.client.encoders(), str(encoder.get("name"))
        names = [str(one.name) for one in known]
        meant = get_close_matches(asked, names, n=2) if asked not in names else []
        if meant:
            told = f"there is no {(error.param or '').split('.')[0]} {asked!r}. Did you mean {' or '.join(meant)}?"
            raise InvalidRequest(error.status, error.code, told, param=error.param) from error
        raise
