"""Progress at a terminal: bars of uploads, ingests, trainings and downloads. In a log file or a pipe it is a line now and then."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, Task, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from pretext_client import types
from pretext_client.bound import Dataset, Job, Model
from pretext_client.client import Pretext
from pretext_client.shown import bytes_, duration, harmless, spark
from pretext_client.types import Event, Progress
from pretext_client.unchanged import Comparison
from pretext_client.upload import Source

_LINE_SECONDS = 5
_VERBS = {
    "scan": "Scanning",
    "ingest": "Checking",
    "decode": "Decoding",
    "train": "Training",
    "export": "Exporting",
    "embed": "Embedding",
    "evaluate": "Measuring",
}


class Meter(Protocol):
    """Something that shows how far things are."""

    def show(self, what: str, done: float | None, total: float | None, told: str, below: str = "") -> None:
        """Show how much of `what` is done, with a few figures beside it and lines of them below.

        The total is None as long as nobody knows it.
        """

    def say(self, message: str) -> None:
        """Show a message that stays."""


class BarMeter:
    """Bars on a terminal, one for each thing, in the order in which they began."""

    def __init__(self, bars: "_Bars") -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def show(self, what: str, done: float | None, total: float | None, told: str, below: str = "") -> None:
        if below:
            self._bars.below = below
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total, told=told)
        self._bars.update(self._tasks[what], completed=done or 0, total=total, told=told)

    def say(self, message: str) -> None:
        self._bars.console.print(message, markup=False, highlight=False, soft_wrap=True)


class _Bars(RichProgress):
    """Bars with a line of figures below them, which leaves the bars some room on a narrow terminal."""

    below = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield _Narrower(self.make_tasks_table(self.tasks))
        for line in self.below.splitlines():
            yield _Narrower(Text(f"{'':<10}{line}", no_wrap=True, overflow="ellipsis"))


class _Narrower:
    """Leaves room for the `^C` that a terminal shows: at its edge it would be in the next line, and a bar would be there twice."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self._inner, options.update(width=max(options.max_width - len("^C") - 1, 1)))


class _Percent(TextColumn):
    """How much is done, as long as anybody knows."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total is not None else Text()


class LineMeter:
    """A line for each new thing, its end, and every few seconds in between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = ""
        self._ended = False
        self._next = 0.0

    def show(self, what: str, done: float | None, total: float | None, told: str, below: str = "") -> None:
        ended = done is not None and done == total
        if what == self._what and (self._ended or (not ended and time.monotonic() < self._next)):
            return
        self._what, self._ended = what, ended
        self._next = time.monotonic() + _LINE_SECONDS
        share = f"{done / total:.0%}  " if done is not None and total else ""
        self.say("  ".join(filter(None, (f"{what}  {share}{told}", *below.splitlines()))))

    def say(self, message: str) -> None:
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def meter(console: Console) -> Iterator[Meter]:
    """What shows progress on this console: bars on a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield LineMeter(console)
        return
    columns = (
        TextColumn("{task.description:<9}", markup=False),
        BarColumn(bar_width=None),
        _Percent("{task.percentage:>3.0f}%", markup=False),
        TextColumn("{task.fields[told]}", markup=False),
    )
    with _Bars(*columns, console=console, expand=True) as bars:
        yield BarMeter(bars)


class ByteRate:
    """Shows bytes that go over, with their rate and the time left."""

    def __init__(self, shown: Meter, what: str) -> None:
        self._meter = shown
        self._what = what
        self._start = time.monotonic()
        self._before: int | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._before is None or done < self._before:
            self._before = done  # what was there from an earlier time was not fast now
        seconds = time.monotonic() - self._start
        rate = (done - self._before) / seconds if seconds > 0 else 0.0
        left = f"  {duration((total - done) / rate)} left" if rate and done < total else ""
        self._meter.show(
            self._what, done, total, f"{bytes_(done)} of {bytes_(total)}  {f'{bytes_(rate)}/s' if rate else ''}{left}".rstrip()
        )


def upload_with_bar(
    client: Pretext,
    source: Source | Iterable[Source],
    console: Console,
    *,
    name: str | None = None,
    kind: str = "auto",
    metadata: Mapping[str, str] | None = None,
    reuse: bool | str = True,
) -> Dataset:
    """Upload images behind a bar. Raises what `datasets.upload` does."""
    with meter(console) as shown:

        def compared(so_far: Comparison) -> None:
            shown.show("Comparing", so_far.compared, so_far.files, f"{so_far.compared:,} of {so_far.files:,} files")
            if so_far.compared == so_far.files and so_far.unchanged:
                since = harmless(f"{so_far.dataset.name} ({so_far.dataset.id})")
                told = f"{so_far.unchanged:,} of {so_far.files:,} files ({bytes_(so_far.bytes)}) are in {since} already"
                shown.say(f"{told}: not sent again")

        rate = ByteRate(shown, "Uploading")
        return client.datasets.upload(
            source, name=name, kind=kind, metadata=metadata, reuse=reuse, on_progress=rate, on_compare=compared
        )


def model_with_bar(
    client: Pretext, path: Path, console: Console, *, encoder: str, stem: str, image_size: int, name: str | None = None
) -> Model:
    """Upload an encoder behind a bar. Raises what `models.upload` does."""
    with meter(console) as shown:
        rate = ByteRate(shown, "Uploading")
        return client.models.upload(path, encoder=encoder, stem=stem, image_size=image_size, name=name, on_progress=rate)


def download_with_bar(
    client: Pretext, model_id: str, directory: str | os.PathLike[str], console: Console, *, force: bool = False
) -> tuple[Path, ...]:
    """Download a model behind a bar. Raises what `models.download` does."""
    with meter(console) as shown:
        return client.models.download(model_id, directory, force=force, on_progress=ByteRate(shown, "Fetching"))


def evaluation_with_bar(
    client: Pretext, evaluation_id: str, directory: str | os.PathLike[str], console: Console, *, force: bool = False
) -> tuple[Path, ...]:
    """Download an evaluation behind a bar. Raises what `evaluations.download` does."""
    with meter(console) as shown:
        return client.evaluations.download(evaluation_id, directory, force=force, on_progress=ByteRate(shown, "Fetching"))


def embedding_with_bar(
    client: Pretext, embedding_id: str, directory: str | os.PathLike[str], console: Console, *, force: bool = False
) -> tuple[Path, ...]:
    """Download embeddings behind a bar. Raises what `embeddings.download` does."""
    with meter(console) as shown:
        return client.embeddings.download(embedding_id, directory, force=force, on_progress=ByteRate(shown, "Fetching"))


def pictures_with_bar(client: Pretext, job_id: str, directory: str | os.PathLike[str], console: Console) -> tuple[Path, ...]:
    """Download the pictures of a training behind a bar. Raises what `jobs.download_pictures` does."""
    with meter(console) as shown:
        return client.jobs.download_pictures(job_id, directory, on_progress=ByteRate(shown, "Fetching"))


def watch_job(
    client: Pretext,
    job_id: str,
    console: Console,
    *,
    on_event: Callable[[Event], None] | None = None,
    while_paused: bool = True,
) -> Job:
    """Show a job until it has ended, and return its last state. Ctrl-C stops the watching alone.

    Args:
        client: the server.
        job_id: the job.
        console: where to show it.
        on_event: is called with every event too.
        while_paused: go on when it is paused, until somebody resumes it.

    Raises:
        ConnectionFailed: the server was away for too long; the job may well go on.
        NotFound: there is no such job.
    """
    with meter(console) as shown:
        last: Progress | None = None
        losses: list[float] = []
        early = False
        for event in client.jobs.events(job_id, follow=True):
            if event.type == "progress":
                progress = Progress.of(event.data)
                if last is not None and last.phase != progress.phase:
                    show_progress(shown, _completed(last, progress, early=early), losses)
                if console.is_terminal and progress.loss is not None and progress.unit == "steps":
                    losses.append(progress.loss)
                show_progress(shown, progress, losses)
                last = progress
            elif message := _message(event):
                shown.say(message)
            if _ends_early(event):
                early = True
                if last is not None:  # what was said of it before is not so any more
                    last = replace(last, verdict=None)
                    show_progress(shown, last, losses)
            if _begins_again(event):
                last, early = None, False
                losses.clear()
            if on_event is not None:
                on_event(event)
            # The events of a job that was paused and goes on tell of it too, so the job is asked.
            if not while_paused and _paused(event) and client.jobs.get(job_id).state == "paused":
                break
        job = client.jobs.get(job_id)
        if last is not None and job.state == "succeeded":
            show_progress(shown, _completed(last, job.progress or last, early=early), losses)
    return job


def stopped_early(job: types.Job) -> tuple[int, int] | None:
    """After how many of how many steps a training has ended because it no longer improved; None of every other."""
    steps, step = job.spec.get("steps"), job.progress.step if job.progress is not None else None
    asked = job.state == "succeeded" and job.kind == "pretrain" and job.spec.get("early_stopping") is not None
    return (step, steps) if asked and step is not None and isinstance(steps, int) and step < steps else None


def figure(value: float | str | None) -> str:
    """A figure with as many digits as one reads."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _completed(phase: Progress, after: Progress, *, early: bool = False) -> Progress:
    """The end of a phase, which nobody saw because it was over so soon; figures that came afterwards are newer."""
    if early and phase.unit == "steps":
        return replace(phase, eta_seconds=None)
    figures = {name: getattr(after, name) for name in ("step", "epoch", "loss", "accuracy") if getattr(after, name) is not None}
    done = phase.total if phase.total is not None else phase.done  # as many as there were, once that is known
    return replace(phase, done=done, total=done, eta_seconds=None, **figures)


def _begins_again(event: Event) -> bool:
    return event.type == "state" and event.data.get("state") == "running" and (event.attempt or 1) > 1


def _paused(event: Event) -> bool:
    return event.type == "state" and event.data.get("state") == "paused"


def _ends_early(event: Event) -> bool:
    return event.type == "log" and event.data.get("level") == "info" and str(event.data.get("message")).startswith("stops after ")


def show_progress(shown: Meter, progress: Progress, losses: Sequence[float] = ()) -> None:
    """Show how far a job is, with a curve of the losses so far."""
    verb = _VERBS.get(progress.phase, progress.phase.capitalize())
    below = ["  ".join(_figures(progress))]
    if progress.unit == "steps":
        if len(losses) > 1:
            newest = progress.loss if progress.loss is not None else losses[-1]
            below.append(f"loss {losses[0]:.3f} {spark(losses)} {newest:.3f}")
        if progress.verdict is not None and progress.verdict.state != "too_early":
            below.append(harmless(progress.verdict.sentence.partition(". ")[0]))
    shown.show(harmless(verb), progress.done, progress.total, "  ".join(_share(progress)), "\n".join(below))


def _share(progress: Progress) -> Iterator[str]:
    if progress.done is not None:
        whole = f"/{progress.total:,.0f}" if progress.total is not None else ""
        unit = harmless(progress.unit or "")
        one = (progress.total if progress.total is not None else progress.done) == 1
        yield f"{progress.done:,.0f}{whole} {unit.removesuffix('s') if one else unit}".rstrip()
    if progress.unit == "images" and progress.images_per_second is not None:
        yield f"{progress.images_per_second:,.0f} images/s"
    if progress.eta_seconds is not None:
        yield f"{duration(progress.eta_seconds)} left"


def _figures(progress: Progress) -> Iterator[str]:
    """Figures of a training. What comes after it may repeat its last ones, and is no training."""
    if progress.unit != "steps":
        return
    if progress.epoch is not None:
        yield f"epoch {progress.epoch}" + (f"/{progress.epochs}" if progress.epochs is not None else "")
    if progress.loss is not None:
        yield f"loss {progress.loss:.3f}"
    if progress.accuracy is not None:
        yield f"accuracy {progress.accuracy:.0%}"
    if progress.images_per_second is not None:
        yield f"{progress.images_per_second:,.0f} images/s"
    if progress.clips_per_second is not None:
        yield f"{progress.clips_per_second:,.{0 if progress.clips_per_second >= 10 else 1}f} clips/s"


def _message(event: Event) -> str | None:
    """What of an event a person wants to know while watching."""
    data = event.data
    if event.type == "log" and data.get("level") == "warning":
        return harmless(f"Warning: {data.get('message')}")
    if _begins_again(event):
        return f"Attempt {event.attempt}: a worker has taken the job up again."
    if event.type == "state" and data.get("state") == "cancelling":
        return "Being cancelled."
    if _ends_early(event):
        return harmless(f"Stopped early: {data.get('message')}")
    if _paused(event):
        return "Paused; it goes on once it is resumed."
    return None
