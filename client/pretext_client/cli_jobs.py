"""`pretext jobs`, and `watch`, `logs`, `pictures`, `cancel`, `pause`, `resume`, `retry`: everything that takes time."""

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from pretext_client import completing, types
from pretext_client.cli_notes import WithMetadata, notes
from pretext_client.cli_parts import First, JobId, Limit, OfDataset, OfModel, Watch, group, listing, put
from pretext_client.progress import figure, pictures_with_bar, stopped_early
from pretext_client.session import EXIT_FAILED, session
from pretext_client.shown import bytes_, duration, harmless, moment, outline
from pretext_client.types.jobs import KINDS, STATES
from pretext_client.watching import follow, outcome, queued

app = group("Trainings and all else that takes time: list, show, watch, logs, pause, cancel, retry.")


@app.command()
def watch(
    context: typer.Context,
    job: JobId,
    wait: Annotated[bool, typer.Option("--wait", help="Of one that is paused: wait until it goes on.")] = False,
) -> None:
    """Watch a job to its end. Ctrl-C stops the watching alone."""
    with session(context) as run:
        follow(run, job, wait=wait)


@app.command("wait")
def wait_for(
    context: typer.Context,
    job: JobId,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait at most. Default: as long as it takes.")] = None,
) -> None:
    """Wait until a job has ended, in silence: for scripts."""
    with session(context) as run:
        run.interrupted = f"Stopped waiting; the job goes on. Come back with: {run.prefix} watch {job}"
        found = run.client.jobs.wait(job, timeout=timeout)
        run.output.value(found, outcome(run, found))
        if found.state != "succeeded":
            raise typer.Exit(EXIT_FAILED)


@app.command()
def pictures(
    context: typer.Context,
    job: JobId,
    out: Annotated[Path | None, typer.Option(help="Folder for them. Default: one of the job's name.")] = None,
) -> None:
    """Download what a training drew after each epoch. The same command again brings what is new."""
    with session(context) as run:
        run.interrupted = "Stopped; the same command goes on where this one was."
        paths = pictures_with_bar(run.client, job, out or Path(f"{job}-pictures"), run.output.err)
        if paths or run.output.as_json:
            put(run, paths)
        else:
            run.output.note(f"{job} has no pictures yet.")


@listing(app)
def list_jobs(
    context: typer.Context,
    state: Annotated[
        str | None, typer.Option(help="Only those in this state, such as running.", autocompletion=lambda: list(STATES))
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only those of this kind, such as pretrain.", autocompletion=lambda: list(KINDS))
    ] = None,
    task: Annotated[str | None, typer.Option(help="Only trainings by this pretext task.", autocompletion=completing.tasks)] = None,
    dataset: OfDataset = None,
    model: OfModel = None,
    metadata: WithMetadata = None,
    limit: Limit = 100,
) -> None:
    """List the jobs."""
    with session(context) as run:
        of = run.client.datasets.find(dataset).id if dataset is not None else None
        listed = run.client.jobs.list(state=state, kind=kind, task=task, dataset_id=of, model_id=model, metadata=notes(metadata))
        found = list(islice(listed, limit))
        rows = [(one.id, one.kind, one.state, _share(one), moment(one.created_at), one.dataset_id, one.model_id) for one in found]
        run.output.table(("id", "kind", "state", "done", "created", "dataset", "model"), found, rows)


def _share(job: types.Job) -> str | None:
    progress = job.progress
    if ended := stopped_early(job):
        return f"stopped early, {ended[0]:,} of {ended[1]:,} steps"
    if job.ended or progress is None or progress.done is None or not progress.total:
        return None
    return f"{progress.phase} {progress.done / progress.total:.0%}"


@app.command()
def show(context: typer.Context, job: JobId) -> None:
    """Say how a job goes, and what it does in full."""
    with session(context) as run:
        found = run.client.jobs.get(job)
        run.output.value(found, "\n".join([outcome(run, found), *_lines(found)]))


def _lines(job: types.Job) -> list[str]:
    lines = [f"{job.kind}, created {moment(job.created_at)}, attempt {job.attempt}"]
    if job.started_at is not None and job.finished_at is not None:
        lines[0] += f", took {duration((job.finished_at - job.started_at).total_seconds())}"
    made = (job.dataset_id, job.model_id, job.evaluation_id, job.embedding_id)
    lines.append("of: " + "  ".join(one for one in made if one))
    if job.progress is not None and not job.ended:
        lines.append(f"now: {_share(job) or job.progress.phase}")
    if job.verdict is not None and job.state != "succeeded":
        lines.append(job.verdict.sentence)
    return [*lines, *(f"{key}: {outline(value)}" for key, value in job.spec.items() if value not in (None, {}, []))]


@app.command()
def events(context: typer.Context, job: JobId, limit: First = 1000) -> None:
    """List what happened to a job, the oldest first."""
    with session(context) as run:
        found = list(islice(run.client.jobs.events(job), limit))
        rows = [
            (one.seq, f"{one.at.astimezone():%H:%M:%S}" if one.at else None, one.type, outline(dict(one.data))) for one in found
        ]
        run.output.table(("number", "when", "what", "about"), found, rows)


@app.command()
def logs(
    context: typer.Context,
    job: JobId,
    lines: Annotated[int | None, typer.Option("--lines", "-n", min=1, help="The last so many lines alone.")] = None,
    follow_: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
) -> None:
    """Show what a job's process wrote, with its messages."""
    with session(context) as run:
        run.interrupted = f"Stopped following; the job goes on. Come back with: {run.prefix} logs {job} --follow"
        for text in run.client.jobs.logs(job, lines=lines, follow=follow_):
            if run.output.as_json:  # one document a line: a log that is followed has no end for long
                run.output.json({"text": text})
            else:
                sys.stdout.write(harmless(text))
            sys.stdout.flush()


@app.command()
def metrics(
    context: typer.Context,
    job: JobId,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Only this figure, such as loss; several times. Default: all.")
    ] = None,
    points: Annotated[
        int | None, typer.Option(min=4, help="Most points of each figure, its extremes among them. Default: all.")
    ] = None,
    limit: First = 1000,
) -> None:
    """List the figures of a training, in order of its steps."""
    with session(context) as run:
        found = list(islice(run.client.jobs.metrics(job, points=points, names=name or None), limit))
        names = list(dict.fromkeys(name for one in found for name in one.values))
        rows = [(one.step, one.epoch, *(figure(one.values.get(name)) for name in names)) for one in found]
        run.output.table(("step", "epoch", *names), found, rows)


@app.command()
def checkpoints(context: typer.Context, job: JobId) -> None:
    """List the checkpoints that a job can go on from."""
    with session(context) as run:
        found = run.client.jobs.checkpoints(job)
        rows = [
            (one.step, one.attempt, bytes_(one.bytes or 0), moment(one.at) if one.at is not None else None, outline(one.available))
            for one in found
        ]
        run.output.table(("step", "attempt", "size", "stored", "available"), found, rows)


@app.command()
def cancel(context: typer.Context, job: JobId) -> None:
    """Stop a job for good."""
    with session(context) as run:
        found = run.client.jobs.cancel(job)
        run.output.value(found, f"{found.id}  {found.state}")


@app.command()
def pause(context: typer.Context, job: JobId) -> None:
    """Stop a job for now; `resume` lets it go on where it was."""
    with session(context) as run:
        found = run.client.jobs.pause(job)
        run.output.value(found, f"{found.id}  {found.state}")


@app.command()
def resume(context: typer.Context, job: JobId) -> None:
    """Let a paused job go on where it was."""
    with session(context) as run:
        found = run.client.jobs.resume(job)
        run.output.value(found, f"{found.id}  {found.state}")


@app.command()
def retry(
    context: typer.Context,
    job: JobId,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin anew, even if there is a checkpoint.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Make another retry, even if it was retried before.")] = False,
    watch_: Watch = False,
) -> None:
    """Do a failed or cancelled job again, from its last checkpoint if there is one."""
    with session(context) as run:
        found = run.client.jobs.retry(job, from_start=from_start, again=again)
        queued(run, found, watch=watch_, told=f", retries {job}")
