"""One job, live: where it stands, its curves, its pictures, what happened."""

import json
from functools import partial

from nicegui import html, ui
from pretext_client import PretextError
from pretext_client.types import Event, Job

from dashboard import words
from dashboard.calls import ask, session, told
from dashboard.follow import Stream
from dashboard.pages.base import Page
from dashboard.pages.jobs import KIND_NAMES, share_of, title_of
from dashboard.parts import basics
from dashboard.parts.curves import Curves
from dashboard.parts.pictures import Pictures
from dashboard.parts.specs import flat
from dashboard.parts.timeline import Timeline

_LOOK_SECONDS = 0.5
_VERDICTS = {
    "too_early": "Too early to say",
    "improving": "Still improving",
    "plateau": "No gain lately",
    "at_chance": "It still guesses",
    "collapsed": "Collapsed",
}


async def build(job_id: str) -> None:
    """Everything about it."""
    job = await ask(lambda pretext: pretext.jobs.get(job_id))
    await _View(job).start()


class _View:
    """The page of one job, which changes as the job does."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._trains = job.kind == "pretrain"
        with basics.heading(title_of(job), _lead(job), back=("Jobs", "/jobs")):
            self._actions = html.div().classes("actions")
        self._trouble = html.div(role="alert")
        self._status()
        if self._trains:
            with html.div().classes("job-grid"):
                with html.div().classes("job-main"):
                    self._pictures = Pictures(job)
                    self._curves = Curves(job)
                with html.div().classes("job-side"):
                    self._results = html.div()
                    self._timeline = Timeline()
        else:
            self._results = html.div()
            self._timeline = Timeline()
        _settings(job)
        self._show()

    async def start(self) -> None:
        """Show what there is, and follow what comes."""
        self._stream = Stream(self.job.id)
        if self._trains:
            await self._curves.load()
        self._timer = ui.timer(_LOOK_SECONDS, self._look)

    async def _look(self) -> None:
        found = self._stream.take()
        at_end = not found and self._stream.ended.is_set()
        for event in found:
            self._timeline.add(event)
            if event.type == "picture" and self._trains:
                self._pictures.add(int(event.data["epoch"]), int(event.data["step"]))
        try:
            if at_end or any(event.type == "state" for event in found):
                await self._read_again()
            elif progress := [event for event in found if event.type == "progress"]:
                self._on_progress(progress[-1])
            if self._trains and (found or at_end):
                await self._curves.refresh()
                await self._pictures.refresh()
        except PretextError:
            return  # the server is away; the stream comes back when it does, and so does this
        if at_end:
            self._timer.deactivate()

    async def _read_again(self) -> None:
        before = self.job.state
        self.job = await ask(lambda pretext: pretext.jobs.get(self.job.id))
        if self.job.state != before:
            ui.run_javascript(f"page.say({json.dumps(f'The job is {self.job.state}')})")
        self._show()

    def _on_progress(self, event: Event) -> None:
        self.job = Job.of(
            {**self.job.raw, "progress": event.data, "verdict": event.data.get("verdict") or self.job.raw.get("verdict")}
        )
        self._show_progress()

    def _status(self) -> None:
        with html.section().classes("card status").props('aria-label="Where it stands"'):
            with html.div().classes("status-line"):
                self._state = basics.state(self.job.state)
                self._phase = html.span("").classes("quiet")
                self._left = html.span("").classes("quiet num push")
            self._bar = basics.bar(share_of(self.job), "Progress of the job")
            with html.div().classes("verdict") as self._verdict:
                self._verdict_name = html.strong("")
                self._verdict_text = html.span("").classes("quiet")
        with html.div().classes("stats") as self._stats:
            names = ("Epoch", "Step", "Loss", "Accuracy in the task", "Throughput") if self._trains else ("Done", "Throughput")
            self._figures = {name: basics.stat(name, "—") for name in names}

    def _show(self) -> None:
        """All that depends on the job's state."""
        basics.set_state(self._state, self.job.state)
        self._trouble.clear()
        if self.job.error is not None:
            with self._trouble, html.div().classes("banner bad"):
                html.p(self.job.error.message)
        self._show_actions()
        self._show_results()
        self._show_progress()

    def _show_actions(self) -> None:
        wanted = _actions_of(self.job)
        if [name for name, *_ in wanted] == getattr(self, "_offered", None):
            return
        self._offered = [name for name, *_ in wanted]
        self._actions.clear()
        with self._actions:
            for name, look, icon_name in wanted:
                basics.button(name, partial(self._do, name), look=look, icon_name=icon_name)
            if self._trains and session().rights.allow("write"):
                basics.link("Clone", f"/new-job?clone={self.job.id}", look="button")

    async def _do(self, name: str) -> None:
        if name == "Cancel" and not await basics.confirmed(
            "Cancel this job?", "It stops for good. A pause can be taken back.", "Cancel the job"
        ):
            return
        if name == "Delete" and not await basics.confirmed("Delete this job?", "Its curves and pictures will be gone.", "Delete"):
            return
        with told():
            await ask(lambda pretext: getattr(pretext.jobs, name.lower())(self.job.id))
            if name == "Delete":
                ui.navigate.to("/jobs")
                return
            await self._read_again()
            if name == "Resume":
                self._timer.activate()

    def _show_progress(self) -> None:
        job, progress = self.job, self.job.progress
        basics.set_bar(self._bar, share_of(job))
        verdict = job.verdict
        self._verdict.set_visibility(verdict is not None)
        if verdict is not None:
            self._verdict.props["data-state"] = verdict.state
            basics.set_text(self._verdict_name, _VERDICTS.get(verdict.state, words.named(verdict.state)))
            basics.set_text(self._verdict_text, _without_name(verdict.sentence, verdict.state))
        basics.set_text(self._phase, _phase(job))
        left = progress.eta_seconds if progress is not None and job.state == "running" else None
        basics.set_text(self._left, _ended(job) if left is None else f"about {words.duration(left)} left")
        self._stats.set_visibility(progress is not None and job.kind in {"pretrain", "embed"})
        for name, value in _figures(job).items():
            if name in self._figures:
                basics.set_text(self._figures[name], value)

    def _show_results(self) -> None:
        job = self.job
        shown = (job.model_id, job.evaluation_id, job.embedding_id, (job.evaluate or {}).get("job_id"))
        if shown == getattr(self, "_shown_results", None):
            return
        self._shown_results = shown
        self._results.clear()
        if job.kind == "ingest" or not any(shown):
            return
        with self._results, basics.card("What came of it" if job.state == "succeeded" else "What it is about"):
            pairs = [("Model", job.model_id), ("Evaluation", job.evaluation_id), ("Embeddings", job.embedding_id)]
            basics.facts([(name, value) for name, value in pairs if value])
            if job.model_id:
                basics.link("See the model", f"/models/{job.model_id}")
            if job.evaluate and job.evaluate.get("job_id"):
                basics.link("See the evaluation that follows", f"/jobs/{job.evaluate['job_id']}")
            if self._trains and job.model_id:
                basics.code(f"pretext download {job.model_id} encoder/", "the command that downloads the encoder")


def _lead(job: Job) -> str:
    return f"{KIND_NAMES.get(job.kind, words.named(job.kind))} · {job.id} · asked for {words.ago(job.created_at)}"


def _actions_of(job: Job) -> list[tuple[str, str, str]]:
    """Name, look and icon of what can be done with it now. `Delete` is there if the client can."""
    if not session().rights.allow("write"):
        return []
    if job.ended:
        return [("Delete", "danger", "trash")] if hasattr(session().client.jobs, "delete") else []
    found = []
    if job.state in {"queued", "running"} and job.kind != "ingest":
        found.append(("Pause", "", "pause"))
    if job.state == "paused":
        found.append(("Resume", "primary", "play"))
    if job.state != "cancelling":
        found.append(("Cancel", "danger", "stop"))
    return found


def _without_name(sentence: str, state: str) -> str:
    """The server's sentence without its beginning, where that only says the verdict's name once more."""
    name, _, rest = sentence.partition(": ")
    said = rest if rest and name.lower() == _VERDICTS.get(state, "").lower() else sentence
    return said[:1].upper() + said[1:]


def _phase(job: Job) -> str:
    if job.state == "queued":
        return "Waits for a worker"
    if job.state != "running":
        return ""
    return {
        "scan": "Looking at the upload",
        "ingest": "Checking the files",
        "decode": "Decoding the pictures",
        "train": "Training",
        "export": "Writing the model",
        "compare": "Comparing",
        "embed": "Embedding",
        "evaluate": "Evaluating",
    }.get(job.progress.phase if job.progress else "", "Starting")


def _ended(job: Job) -> str:
    if job.finished_at is None or job.started_at is None:
        return ""
    return f"took {words.duration((job.finished_at - job.started_at).total_seconds())}"


def _figures(job: Job) -> dict[str, str]:
    progress = job.progress
    if progress is None:
        return {}
    rate = progress.images_per_second or progress.clips_per_second
    what = "clips" if progress.clips_per_second else "images"
    steps = job.spec.get("steps")
    found = {
        "Epoch": f"{progress.epoch} of {progress.epochs}" if progress.epoch and progress.epochs else None,
        "Step": f"{progress.step:,} of {steps:,}" if progress.step is not None and steps else None,
        "Loss": words.figure(progress.loss) if progress.loss is not None else None,
        "Accuracy in the task": words.percent(progress.accuracy) if progress.accuracy is not None else None,
        "Throughput": f"{rate:,.0f} {what}/s" if rate else None,
        "Done": f"{progress.done:,.0f} {progress.unit or ''}" if progress.done is not None else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _settings(job: Job) -> None:
    """All that was decided, folded."""
    with html.details().classes("card fold"):
        html.summary("Settings in full")
        basics.facts(flat(job.spec))
        if job.environment:
            html.h3("Environment")
            basics.facts(flat(job.environment))
        with html.div().classes("actions"):
            if job.dataset_id:
                basics.link("To the dataset", f"/datasets/{job.dataset_id}")


PAGE = Page("/jobs/{job_id}", "Job", build)
