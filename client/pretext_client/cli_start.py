"""`pretext train`, `evaluate`, `embed` and `export`: what starts a job."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from pretext_client import cli_embeddings, completing
from pretext_client import settings as given
from pretext_client.bound import Dataset
from pretext_client.cli_notes import Metadata, noted, notes
from pretext_client.cli_parts import DatasetRef, ModelId, Settings, Watch
from pretext_client.errors import InvalidRequest
from pretext_client.session import Session, session
from pretext_client.watching import ingested, queued

TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="The pretext task; `pretext tasks` lists them. Default: rotation, of clips for videos.",
        autocompletion=completing.tasks,
    ),
]
EncoderName = Annotated[
    str | None, typer.Option("--encoder", help="The network; `pretext encoders` lists them.", autocompletion=completing.encoders)
]
InitFrom = Annotated[
    str | None,
    typer.Option(
        help="Id of a model to begin with, instead of random weights; `pretext models` lists them.",
        autocompletion=completing.models,
    ),
]


def train(
    context: typer.Context,
    dataset: DatasetRef,
    task: TaskName = None,
    encoder: EncoderName = None,
    init_from: InitFrom = None,
    set_: Settings = None,
    metadata: Metadata = None,
    *,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Find out afterwards how many labels it saves; the dataset needs labels for that.")
    ] = False,
    watch: Watch = False,
) -> None:
    """Pretrain an encoder. Everything but the dataset has a good default."""
    settings = pretraining(task, encoder, init_from, set_)
    noted(settings, metadata)
    if evaluate:
        settings.setdefault("evaluate", {})
    with session(context) as run:
        found = ingested(run, run.client.datasets.find(dataset))
        with suggestions(run, settings):
            job = run.client.jobs.create(found.id, **settings_for(found, settings))
        queued(run, job, watch=watch)


def pretraining(task: str | None, encoder: str | None, init_from: str | None, set_: list[str] | None) -> dict[str, Any]:
    """What a training is asked for by, as `jobs.create` takes it. A `--set` that cannot be understood is wrong usage."""
    with understood():
        settings = given.parse(set_ or ())
        named = {"task": given.named(settings, "task", task), "encoder": given.named(settings, "encoder", encoder) or None}
        return {**settings, **named, "init_from": given.single(settings, "init_from", init_from)}


def settings_for(dataset: Dataset, settings: dict[str, Any]) -> dict[str, Any]:
    """The same with a task that fits the dataset, where only settings of the task are given or nothing."""
    name = "video_rotation" if dataset.kind == "video" else "rotation"
    return {**settings, "task": {"name": name, **settings["task"]}}


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
    metadata: Metadata = None,
    watch: Watch = False,
) -> None:
    """Find out how many labels an encoder saves."""
    with understood():
        settings = given.parse(set_ or ())
        protocols = given.protocols(settings, protocol)
        references = given.single(settings, "references", reference or None)
    noted(settings, metadata)
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
    metadata: Metadata = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Of a dataset: watch it to its end.")] = False,
) -> None:
    """Embed a few images at once, or a whole dataset into Parquet files."""
    images = [Path(one) for one in what]
    with understood():
        settings = given.parse(set_ or ())
    noted(settings, metadata)
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
    metadata: Metadata = None,
    watch: Watch = False,
) -> None:
    """Make another model of an encoder: with the features of another stage, or in other formats."""
    with session(context) as run:
        job = run.client.models.export(model, stage=stage, formats=format_, metadata=notes(metadata))
        queued(run, job, watch=watch)


@contextmanager
def understood() -> Iterator[None]:
    """A `--set` that cannot be understood is wrong usage."""
    try:
        yield
    except given.SettingError as error:
        raise typer.BadParameter(str(error)) from None


@contextmanager
def suggestions(run: Session, settings: dict[str, Any]) -> Iterator[None]:
    """Names that may have been meant, where the server knows no such task or encoder."""
    try:
        yield
    except InvalidRequest as error:
        known: Iterable[Any] = ()
        asked = ""
        if error.param in {"task", "task.name"}:
            known, asked = run.client.tasks(), str(settings["task"].get("name"))
        elif error.param in {"encoder", "encoder.name"}:
            known, asked = run.client.encoders(), str((settings["encoder"] or {}).get("name"))
        names = [str(one.name) for one in known]
        meant = get_close_matches(asked, names, n=2) if asked not in names else []
        if meant:
            told = f"there is no {(error.param or '').split('.')[0]} {asked!r}. Did you mean {' or '.join(meant)}?"
            raise InvalidRequest(error.status, error.code, told, param=error.param) from error
        raise
