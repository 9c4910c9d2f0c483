"""`pretext retry`, `estimate`, `logs` and `checkpoints`: doing a job again, and what it takes and says."""

import sys
from typing import Annotated

import typer

from pretext_client import settings as given
from pretext_client.estimates import CapableWorkers, Estimate
from pretext_client.session import session
from pretext_client.shown import bytes_, duration, harmless, moment

Id = Annotated[str, typer.Argument(help="Id of the job.")]


def retry(
    context: typer.Context,
    job: Id,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin anew, even if there is a checkpoint.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Make another retry, even if it was retried before.")] = False,
) -> None:
    """Do a failed or cancelled job again, from its last checkpoint if there is one."""
    with session(context) as run:
        found = run.client.jobs.retry(job, from_start=from_start, again=again)
        run.output.value(found, f"{found.id}  {found.state}, retries {job}. Watch it with: {run.prefix} watch {found.id}")


def estimate(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Id or name.")],
    task: Annotated[str | None, typer.Option(help="The pretext task. Default: rotation, of clips for videos.")] = None,
    encoder: Annotated[str | None, typer.Option(help="The network; `pretext encoders` lists them.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as batch_size=512; as of `train`.")
    ] = None,
) -> None:
    """Estimate memory and time of a training, without starting it. Takes what `pretext train` takes."""
    try:
        settings = given.parse(set_ or ())
        task_settings = given.named(settings, "task", task)
        encoder_settings = given.named(settings, "encoder", encoder)
    except given.SettingError as error:
        raise typer.BadParameter(str(error)) from None
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        asked = {"name": "video_rotation" if found.kind == "video" else "rotation", **task_settings}
        told = run.client.jobs.estimate(found.id, task=asked, encoder=encoder_settings or None, **settings)
        run.output.value(told, "\n".join(_lines(told)))


def _lines(told: Estimate) -> list[str]:
    lines = []
    if told.memory is not None:
        parts = told.memory
        of_them = ", ".join(
            f"{bytes_(count)} {what}"
            for what, count in (
                ("weights, gradients and optimizer", parts.parameters_bytes + parts.gradients_bytes + parts.optimizer_bytes),
                ("activations", parts.activations_bytes),
                ("dataset", parts.dataset_bytes),
                ("process", parts.process_bytes),
            )
        )
        lines.append(f"memory  {bytes_(parts.total_bytes)} ({parts.known}): {of_them}")
    if told.time is not None:
        each = f", {duration(told.time.seconds_per_epoch)} an epoch" if told.time.seconds_per_epoch is not None else ""
        rate = f", {told.time.samples_per_second:,.0f} samples/s" if told.time.samples_per_second is not None else ""
        lines.append(f"time    {duration(told.time.seconds)} ({told.time.known}: {told.time.basis}){each}{rate}")
    if told.disk is not None:
        lines.append(f"cache   {bytes_(told.disk.cache_bytes)}")
    lines += [_worker(one) for one in told.workers]
    if told.largest_batch_size is not None:
        lines.append(f"largest batch_size that fits: {told.largest_batch_size:,}")
    return [*lines, *([told.note] if told.note else [])]


def _worker(one: CapableWorkers) -> str:
    fits = {True: "fits", False: "does not fit", None: "nobody knows whether it fits"}[one.fits]
    has = f" of {bytes_(one.memory_bytes)}" if one.memory_bytes is not None else ""
    count = f"{one.count} x " if one.count > 1 else ""
    return f"worker  {count}{one.device_name or one.device}: {fits}, {bytes_(one.needed_bytes)}{has}"


def logs(
    context: typer.Context,
    job: Id,
    lines: Annotated[int | None, typer.Option("--lines", "-n", min=1, help="The last so many lines alone.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
) -> None:
    """Show what a job's process wrote, with its messages."""
    with session(context) as run:
        run.interrupted = "Stopped following; the job goes on."
        for text in run.client.jobs.logs(job, lines=lines, follow=follow):
            sys.stdout.write(harmless(text))
            sys.stdout.flush()


def checkpoints(context: typer.Context, job: Id) -> None:
    """List the checkpoints that a job can go on from."""
    with session(context) as run:
        found = run.client.jobs.checkpoints(job)
        rows = [
            (one.step, one.attempt, bytes_(one.bytes or 0), moment(one.at) if one.at is not None else None, one.available)
            for one in found
        ]
        run.output.table(("step", "attempt", "size", "stored", "available"), found, rows)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (retry, estimate, logs, checkpoints):
        app.command()(command)
