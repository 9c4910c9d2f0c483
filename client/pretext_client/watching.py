"""Watching a job at a terminal, and what is said when it has ended, is paused, or nobody watches any more."""

import typer

from pretext_client import types
from pretext_client.bound import Dataset, Job
from pretext_client.progress import stopped_early, watch_job
from pretext_client.session import EXIT_FAILED, Session
from pretext_client.types import Event


def queued(run: Session, job: Job, *, watch: bool, told: str = "") -> None:
    """Watch a new job to its end, or say how to."""
    if watch:
        follow(run, job.id)
    else:
        run.output.value(job, f"{job.id}  {job.state}{told}. Watch it with: {run.prefix} watch {job.id}")


def ingested(run: Session, dataset: Dataset) -> Dataset:
    """Show an ingest to its end."""
    if dataset.state == "ingesting" and dataset.job_id is not None:
        run.interrupted = f"They are still being checked. Come back with: {run.prefix} watch {dataset.job_id}"
        watch_job(run.client, dataset.job_id, run.output.err)
        return dataset.refresh()
    return dataset


def follow(run: Session, job_id: str, *, wait: bool = False) -> None:
    """Show a job to its end, and what came of it.

    Args:
        run: the command.
        job_id: the job.
        wait: whether to wait for one that is paused.
    """
    run.interrupted = f"Stopped watching; the job goes on. Come back with: {run.prefix} watch {job_id}"
    drawn: list[Event] = []
    job = watch_job(
        run.client,
        job_id,
        run.output.err,
        on_event=lambda event: drawn.append(event) if event.type == "picture" else None,
        while_paused=wait,
    )
    follows = job.evaluate.get("job_id") if job.evaluate is not None else None
    if not (follows and run.output.as_json):  # one document a command
        run.output.value(job, outcome(run, job))
    if drawn:
        newest = f"{run.client.url}/v1/jobs/{job_id}/pictures/{drawn[-1].data.get('epoch', 'latest')}"
        run.output.note(f"Its newest picture: {newest}\nSave all of them with: {run.prefix} pictures {job_id}")
    if job.state != "succeeded":
        raise typer.Exit(EXIT_FAILED)
    if follows:
        follow(run, follows)


def outcome(run: Session, job: types.Job) -> str:
    """What came of a job, and what to do next."""
    if job.state == "failed":
        return f"{job.id}  failed: {job.error.message if job.error else 'the server does not say why'}"
    if job.state == "paused":
        return f"{job.id}  paused{_place(job)}. Let it go on with: {run.prefix} resume {job.id}"
    if job.state == "succeeded" and job.evaluation_id is not None:
        found = run.client.evaluations.get(job.evaluation_id)
        return f"{job.id}  succeeded: {found.id}\n{found.sentence}\nSee all of it with: {run.prefix} evaluations show {found.id}"
    if job.state == "succeeded" and job.embedding_id is not None:
        told = f"Download it with: {run.prefix} embeddings download {job.embedding_id}"
        return f"{job.id}  succeeded: {job.embedding_id}\n{told}"
    if job.state == "succeeded" and job.model_id is not None:
        went = f"\n{_went(job)}" if job.verdict is not None else ""
        return f"{job.id}  succeeded: {job.model_id}{went}\nDownload it with: {run.prefix} download {job.model_id}"
    return f"{job.id}  {job.state}"


def _went(job: types.Job) -> str:
    sentence = job.verdict.sentence if job.verdict is not None else ""
    ended = stopped_early(job)
    return f"Stopped early at step {ended[0]:,} of {ended[1]:,}: {sentence}" if ended else sentence


def _place(job: types.Job) -> str:
    """Where a job has come to."""
    progress = job.progress
    if progress is None or progress.done is None or not progress.total:
        return ""
    return f" at {progress.done:,.0f} of {progress.total:,.0f} {progress.unit or ''}".rstrip()
