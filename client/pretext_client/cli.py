"""The `pretext` command."""

from enum import StrEnum
from importlib.metadata import version as version_of
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from pretext_client import cli_admin, cli_embeddings, cli_evaluations, cli_jobs, cli_labels, cli_models, cli_webhooks
from pretext_client import settings as given
from pretext_client.cli_models import Limit
from pretext_client.progress import download_with_bar, pictures_with_bar, upload_with_bar, watch_job
from pretext_client.session import EXIT_FAILED, Options, Session, session
from pretext_client.shown import bytes_, moment, outline
from pretext_client.types import Dataset, Event, Job

_REFUSED_SHOWN = 10


class Kind(StrEnum):
    """What is in an upload."""

    auto = "auto"
    image = "image"
    video = "video"


app = typer.Typer(
    help="Upload unlabelled images or videos to a Pretext Server, pretrain an encoder on them, download it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cli_models.app, name="models")
app.add_typer(cli_evaluations.app, name="evaluations")
app.add_typer(cli_embeddings.app, name="embeddings")
app.add_typer(cli_webhooks.app, name="webhooks")
for name, administration in (("projects", cli_admin.projects), ("members", cli_admin.members), ("keys", cli_admin.keys)):
    app.add_typer(administration, name=name)
app.command()(cli_admin.workers)
app.command()(cli_admin.audit)
app.command()(cli_labels.label)
app.command()(cli_labels.labels)
cli_jobs.add_to(app)


@app.callback()
def options(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(help="The server. Default: PRETEXT_URL, else the server on this machine.")] = None,
    api_key: Annotated[
        str | None, typer.Option(help="The key. Default: PRETEXT_API_KEY, else that of the server on this machine.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write results as JSON, with all that the server answered.")] = False,
) -> None:
    """Options in front of every command."""
    context.obj = Options(url, api_key, json)


@app.command()
def upload(
    context: typer.Context,
    path: Annotated[list[Path], typer.Argument(help="An archive, an image or video, a folder, or several of these.")],
    name: Annotated[str | None, typer.Option(help="Name of the dataset. Default: that of the file or folder.")] = None,
    kind: Annotated[
        Kind, typer.Option(help="What is in it. auto: guessed; with video, a folder of numbered images is a clip.")
    ] = Kind.auto,
    wait: Annotated[bool, typer.Option(help="Wait until every image or video is checked.")] = True,
) -> None:
    """Upload images or videos. No labels and no class folders are needed."""
    with session(context) as run:
        run.interrupted = "Stopped. Of a large upload the server keeps what has arrived: the same command goes on from there."
        dataset = upload_with_bar(run.client, path[0] if len(path) == 1 else path, run.output.err, name=name, kind=kind.value)
        if wait:
            dataset = _ingested(run, dataset)
        run.output.value(dataset, _about(dataset))
        if dataset.refused:
            _tell_refused(run, dataset)
        if dataset.state == "failed":
            raise typer.Exit(EXIT_FAILED)


def _ingested(run: Session, dataset: Dataset) -> Dataset:
    """Show an ingest to its end."""
    if dataset.state == "ingesting" and dataset.job_id is not None:
        run.interrupted = f"They are still being checked. Come back with: {run.prefix} watch {dataset.job_id}"
        watch_job(run.client, dataset.job_id, run.output.err)
        return run.client.datasets.get(dataset.id)
    return dataset


def _tell_refused(run: Session, dataset: Dataset) -> None:
    """The first files that were refused, each with its reason."""
    for one in islice(run.client.datasets.refused(dataset.id), _REFUSED_SHOWN):
        run.output.note(f"refused: {one.name}: {one.reason}")
    more = (dataset.refused or 0) - _REFUSED_SHOWN
    if more > 0:
        run.output.note(f"… and {more:,} more: {run.prefix} report {dataset.id}")


def _about(dataset: Dataset) -> str:
    if dataset.state == "failed":
        return f"{dataset.id}  cannot be used: {dataset.error.message if dataset.error else 'its ingest has failed'}"
    if dataset.images is None and dataset.videos is None:
        return f"{dataset.id}  {dataset.state}"
    refused = f", {dataset.refused:,} refused (pretext report {dataset.id})" if dataset.refused else ""
    labels = f", labels of {len(dataset.labels)} classes (not used for pretraining)" if dataset.labels else ""
    what = (
        f"{dataset.images:,} images" if dataset.videos is None else f"{dataset.videos:,} videos of {dataset.frames or 0:,} frames"
    )
    return f"{dataset.id}  {what}{refused}{labels}"


@app.command()
def datasets(context: typer.Context, limit: Limit = 100) -> None:
    """List the datasets."""
    with session(context) as run:
        found = list(islice(run.client.datasets.list(), limit))
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


@app.command()
def report(context: typer.Context, dataset: Annotated[str, typer.Argument(help="Id or name.")]) -> None:
    """Tell what was found in an upload, and what was refused and why."""
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        told = run.client.datasets.report(found.id)
        if run.output.as_json:
            run.output.json(told.raw)
            return
        run.output.say(_about(found))
        for key, value in told.report.items():
            if key != "shards":
                run.output.say(f"{key.replace('_', ' ')}: {outline(value)}")
        refused = list(told.refused)
        if refused:
            run.output.table(("refused", "why"), refused, [(one.name, one.reason) for one in refused])
        if told.more_refused:
            run.output.note(f"… and more, {found.refused:,} in all")


@app.command()
def delete(context: typer.Context, dataset: Annotated[str, typer.Argument(help="Id or name.")]) -> None:
    """Delete a dataset. Models that were trained on it stay."""
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        run.client.datasets.delete(found.id)
        run.output.value(found, f"{found.id}  deleted")


@app.command()
def train(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Id or name.")],
    task: Annotated[
        str | None, typer.Option(help="The pretext task; `pretext tasks` lists them. Default: rotation, of clips for videos.")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="The network; `pretext encoders` lists them.")] = None,
    init_from: Annotated[
        str | None, typer.Option(help="Id of a model to begin with, instead of random weights; `pretext models` lists them.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as steps=300 or optimizer.learning_rate=0.05."),
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Find out afterwards how many labels it saves; the dataset needs labels for that.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Watch it to its end.")] = False,
) -> None:
    """Pretrain an encoder. Everything but the dataset has a good default."""
    try:
        settings = given.parse(set_ or ())
        task_settings = given.named(settings, "task", task)
        encoder_settings = given.named(settings, "encoder", encoder)
        init_from = given.single(settings, "init_from", init_from)
    except given.SettingError as error:
        raise typer.BadParameter(str(error)) from None
    if evaluate:
        settings.setdefault("evaluate", {})
    with session(context) as run:
        found = _ingested(run, run.client.datasets.find(dataset))
        encoder_or_none = encoder_settings or None
        task_settings = {"name": "video_rotation" if found.kind == "video" else "rotation", **task_settings}
        job = run.client.jobs.create(found.id, task=task_settings, encoder=encoder_or_none, init_from=init_from, **settings)
        _queued(run, job, watch=watch)


@app.command()
def evaluate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Id of the model.")],
    dataset: Annotated[str, typer.Argument(help="Id or name of a dataset with labels.")],
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            help="knn, linear, retrieval, fine_tune, label_efficiency or robustness; several times. Default: all but fine_tune and "
            "robustness."
        ),
    ] = None,
    reference: Annotated[
        list[str] | None, typer.Option(help="Id of another model to measure beside, such as one of ImageNet; up to three times.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as seed=1 or label_efficiency.draws=5."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Watch it to its end.")] = False,
) -> None:
    """Find out how many labels an encoder saves."""
    try:
        settings = given.parse(set_ or ())
        protocols = given.protocols(settings, protocol)
        references = given.single(settings, "references", reference or None)
    except given.SettingError as error:
        raise typer.BadParameter(str(error)) from None
    with session(context) as run:
        found = _ingested(run, run.client.datasets.find(dataset))
        job = run.client.jobs.evaluate(model, found.id, protocols=protocols, references=references, **settings)
        _queued(run, job, watch=watch)


@app.command()
def embed(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Id of the model.")],
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
    try:
        settings = given.parse(set_ or ())
    except given.SettingError as error:
        raise typer.BadParameter(str(error)) from None
    with session(context) as run:
        if all(path.is_file() for path in images):
            cli_embeddings.at_once(run, model, images, stage=stage, normalize=normalize, out=out)
            return
        if len(what) > 1:
            missing = next(path for path in images if not path.is_file())
            raise typer.BadParameter(f"{missing} is no file; give image files, or the id or name of one dataset")
        found = _ingested(run, run.client.datasets.find(what[0]))
        job = run.client.jobs.embed(model, found.id, stage=stage, normalize=normalize, **settings)
        _queued(run, job, watch=watch)


@app.command()
def export(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Id of the model.")],
    stage: Annotated[
        str | None,
        typer.Option(help="Where the encoder ends, such as layer3, or best: what an evaluation found. Default: where it ends now."),
    ] = None,
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="onnx or pt2, beside the weights; several times. Default: both.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Watch it to its end.")] = False,
) -> None:
    """Make another model of an encoder: with the features of another stage, or in other formats."""
    with session(context) as run:
        job = run.client.models.export(model, stage=stage, formats=format_)
        _queued(run, job, watch=watch)


@app.command()
def watch(context: typer.Context, job: Annotated[str, typer.Argument(help="Id of the job.")]) -> None:
    """Watch a job to its end. Ctrl-C stops the watching alone."""
    with session(context) as run:
        _watch(run, job)


def _queued(run: Session, job: Job, *, watch: bool) -> None:
    """Watch a new job to its end, or say how to."""
    if watch:
        _watch(run, job.id)
    else:
        run.output.value(job, f"{job.id}  {job.state}. Watch it with: {run.prefix} watch {job.id}")


def _watch(run: Session, job_id: str) -> None:
    """Show a job to its end, and what came of it."""
    run.interrupted = f"Stopped watching; the job goes on. Come back with: {run.prefix} watch {job_id}"
    drawn: list[Event] = []
    job = watch_job(
        run.client, job_id, run.output.err, on_event=lambda event: drawn.append(event) if event.type == "picture" else None
    )
    follows = job.evaluate.get("job_id") if job.evaluate is not None else None
    if not (follows and run.output.as_json):  # one document a command
        run.output.value(job, _outcome(run, job))
    if drawn:
        newest = f"{run.client.url}/v1/jobs/{job_id}/pictures/{drawn[-1].data.get('epoch', 'latest')}"
        run.output.note(f"Its newest picture: {newest}\nSave all of them with: {run.prefix} pictures {job_id}")
    if job.state != "succeeded":
        raise typer.Exit(EXIT_FAILED)
    if follows:
        _watch(run, follows)


def _outcome(run: Session, job: Job) -> str:
    if job.state == "failed":
        return f"{job.id}  failed: {job.error.message if job.error else 'the server does not say why'}"
    if job.state == "succeeded" and job.evaluation_id is not None:
        found = run.client.evaluations.get(job.evaluation_id)
        return f"{job.id}  succeeded: {found.id}\n{found.sentence}\nSee all of it with: {run.prefix} evaluations show {found.id}"
    if job.state == "succeeded" and job.embedding_id is not None:
        told = f"Download it with: {run.prefix} embeddings download {job.embedding_id}"
        return f"{job.id}  succeeded: {job.embedding_id}\n{told}"
    if job.state == "succeeded" and job.model_id is not None:
        went = f"\n{job.verdict.sentence}" if job.verdict is not None else ""
        return f"{job.id}  succeeded: {job.model_id}{went}\nDownload it with: {run.prefix} download {job.model_id}"
    return f"{job.id}  {job.state}"


@app.command()
def pictures(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="Id of the job.")],
    out: Annotated[Path | None, typer.Option(help="Folder for them. Default: one of the job's name.")] = None,
) -> None:
    """Download what a training drew after each epoch. The same command again brings what is new."""
    with session(context) as run:
        run.interrupted = "Stopped; the same command goes on where this one was."
        paths = pictures_with_bar(run.client, job, out or Path(f"{job}-pictures"), run.output.err)
        if run.output.as_json:
            run.output.json([str(path) for path in paths])
        elif paths:
            run.output.say("\n".join(map(str, paths)))
        else:
            run.output.note(f"{job} has no pictures yet.")


@app.command()
def jobs(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only those in this state, such as running.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only those of this kind, such as pretrain.")] = None,
    limit: Limit = 100,
) -> None:
    """List the jobs."""
    with session(context) as run:
        found = list(islice(run.client.jobs.list(state=state, kind=kind), limit))
        rows = [(one.id, one.kind, one.state, _share(one), one.dataset_id, one.model_id, moment(one.created_at)) for one in found]
        run.output.table(("id", "kind", "state", "done", "dataset", "model", "created"), found, rows)


def _share(job: Job) -> str | None:
    progress = job.progress
    if job.ended or progress is None or progress.done is None or not progress.total:
        return None
    return f"{progress.phase} {progress.done / progress.total:.0%}"


@app.command()
def cancel(context: typer.Context, job: Annotated[str, typer.Argument(help="Id of the job.")]) -> None:
    """Stop a job for good."""
    with session(context) as run:
        found = run.client.jobs.cancel(job)
        run.output.value(found, f"{found.id}  {found.state}")


@app.command()
def pause(context: typer.Context, job: Annotated[str, typer.Argument(help="Id of the job.")]) -> None:
    """Stop a job for now; `resume` lets it go on where it was."""
    with session(context) as run:
        found = run.client.jobs.pause(job)
        run.output.value(found, f"{found.id}  {found.state}")


@app.command()
def resume(context: typer.Context, job: Annotated[str, typer.Argument(help="Id of the job.")]) -> None:
    """Let a paused job go on where it was."""
    with session(context) as run:
        found = run.client.jobs.resume(job)
        run.output.value(found, f"{found.id}  {found.state}")


@app.command()
def download(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Id of the model.")],
    directory: Annotated[Path | None, typer.Argument(help="Folder for its files. Default: one of the model's name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite other files of the same names.")] = False,
) -> None:
    """Download a trained encoder: weights, configuration, model card."""
    with session(context) as run:
        run.interrupted = "Stopped; the same command goes on where this one was."
        paths = download_with_bar(run.client, model, directory or Path(model), run.output.err, force=force)
        if run.output.as_json:
            run.output.json([str(path) for path in paths])
        else:
            run.output.say("\n".join(map(str, paths)))


@app.command()
def tasks(context: typer.Context) -> None:
    """List the pretext tasks and their settings."""
    with session(context) as run:
        found = list(run.client.tasks())
        rows = [
            (
                one.name,
                one.modality,
                one.summary,
                " ".join(f"{key}={value}" for key, value in one.defaults.items() if key != "name"),
            )
            for one in found
        ]
        run.output.table(("name", "about", "what it asks", "settings"), found, rows)


@app.command()
def encoders(context: typer.Context) -> None:
    """List the networks that can be trained."""
    with session(context) as run:
        found = list(run.client.encoders())
        rows = [
            (one.name, one.modality, one.family, f"{one.parameters or 0:.1f} M", one.features, one.min_image_size, one.summary)
            for one in found
        ]
        run.output.table(("name", "about", "family", "parameters", "features", "smallest image", "good for"), found, rows)


@app.command()
def version() -> None:
    """Tell the version of this command."""
    typer.echo(f"pretext {version_of('pretext-client')}")


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
