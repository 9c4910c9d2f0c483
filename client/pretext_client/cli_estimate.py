"""`pretext estimate`: what a training would take."""

import typer

from pretext_client.cli_parts import DatasetRef, Settings
from pretext_client.cli_start import EncoderName, InitFrom, TaskName, pretraining, settings_for, suggestions
from pretext_client.session import session
from pretext_client.shown import bytes_, duration
from pretext_client.types import CapableWorkers, Estimate


def estimate(
    context: typer.Context,
    dataset: DatasetRef,
    task: TaskName = None,
    encoder: EncoderName = None,
    init_from: InitFrom = None,
    set_: Settings = None,
) -> None:
    """Estimate memory and time of a training, without starting it. Takes what `pretext train` takes."""
    settings = pretraining(task, encoder, init_from, set_)
    with session(context) as run:
        found = run.client.datasets.find(dataset)
        with suggestions(run, settings):
            told = run.client.jobs.estimate(found.id, **settings_for(found, settings))
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
