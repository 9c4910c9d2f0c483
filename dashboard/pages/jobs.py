"""Jobs: all of them, by state and kind."""

from collections.abc import Callable

from nicegui import html, ui
from pretext_client.types import Job

from dashboard import words
from dashboard.calls import notice, session
from dashboard.pages.base import Page
from dashboard.parts import basics
from dashboard.parts.listing import Listing

_STATES = ("running", "queued", "paused", "succeeded", "failed", "cancelled")
_KINDS = ("pretrain", "evaluate", "embed", "export", "ingest")
KIND_NAMES = {
    "pretrain": "Pretraining",
    "evaluate": "Evaluation",
    "embed": "Embedding",
    "export": "Export",
    "ingest": "Check of an upload",
}


async def build(state: str = "", kind: str = "") -> None:
    """The list, with two filters that are in the address, so that they can be bookmarked."""
    chosen = _Chosen()
    with basics.heading("Jobs", "Everything that takes time, the newest first. Mark trainings to compare them."):
        chosen.button()
        if session().rights.allow("write"):
            basics.link("New job", "/new-job", look="button primary")
    state, kind = (state if state in _STATES else ""), (kind if kind in _KINDS else "")
    with html.div().classes("filters"):
        _filter("State", state, _STATES, lambda chosen: _go(chosen, kind))
        _filter("Kind", kind, _KINDS, lambda chosen: _go(state, chosen))
    await Listing(
        lambda pretext, after, limit: list(pretext.jobs.list(state=state or None, kind=kind or None, after=after, limit=limit)),
        lambda job: _row(job, chosen),
        columns=("Job", "State", "Progress", "How it goes", "Started"),
        label="Jobs",
        none=lambda: _none(filtered=bool(state or kind)),
    ).start()


class _Chosen:
    """Trainings that were marked, and the button that compares them."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def button(self) -> None:
        """Build it; it appears with the first mark."""
        self._button = basics.button("Compare", self._compare, icon_name="compare")
        self._show()

    def box(self, job: Job) -> None:
        """Build the mark of a training, above the link that covers its row."""
        made = html.input_(type="checkbox").classes("mark")
        made.props["aria-label"] = f"Compare {title_of(job)}, {job.id}"
        made.on("change", lambda event: self._mark(job.id, on=bool(event.args)), js_handler="(e) => emit(e.target.checked)")

    def _mark(self, job_id: str, *, on: bool) -> None:
        if on:
            self._ids[job_id] = None
        else:
            self._ids.pop(job_id, None)
        self._show()

    def _show(self) -> None:
        basics.set_text(list(self._button)[-1], f"Compare {len(self._ids)}" if len(self._ids) > 1 else "Compare")
        self._button.set_visibility(bool(self._ids))

    def _compare(self) -> None:
        if len(self._ids) > 1:
            ui.navigate.to(f"/compare?jobs={','.join(self._ids)}")
        else:
            notice("Mark at least two trainings.", bad=True)


def _filter(label: str, chosen: str, options: tuple[str, ...], on_change: Callable[[str], None]) -> None:
    with html.div().classes("filter"):
        made = html.select().classes("field")
        html.label(label).props(f"for=c{made.id}").classes("quiet small").move(target_index=0)
        with made:
            for value, text in (("", "All"), *((one, KIND_NAMES.get(one, words.named(one))) for one in options)):
                html.option(text, value=value).props("selected" if value == chosen else "")
    made.on("change", lambda event: on_change(str(event.args)), js_handler="(event) => emit(event.target.value)")


def _go(state: str, kind: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in (("state", state), ("kind", kind)) if value)
    ui.navigate.to(f"/jobs?{query}" if query else "/jobs")


def _none(*, filtered: bool) -> None:
    if filtered:
        with basics.empty("No such jobs", "No job is of this state and kind.", "jobs"):
            basics.link("Show all jobs", "/jobs", look="button")
        return
    with basics.empty("No jobs yet", "Upload pictures first, and then train an encoder on them.", "jobs"):
        basics.link("To the datasets", "/datasets", look="button")


def title_of(job: Job) -> str:
    """What a job does, in a few words: `Rotation · resnet18`."""
    if job.kind == "pretrain":
        task, encoder = job.spec.get("task", {}).get("name", ""), job.spec.get("encoder", {}).get("name", "")
        return f"{words.named(task)} · {encoder}"
    if job.kind == "ingest":
        return f"Check of {job.spec.get('filename', 'an upload')}"
    return KIND_NAMES.get(job.kind, words.named(job.kind))


def share_of(job: Job) -> float | None:
    """How far a job is, 0 to 1; None if nobody knows."""
    if job.state == "succeeded":
        return 1.0
    if job.progress is None or job.progress.done is None or not job.progress.total:
        return None if job.state == "running" else 0.0
    return job.progress.done / job.progress.total


def _row(job: Job, chosen: _Chosen) -> Callable[[Job], None]:
    with html.td(), html.div().classes("marked"):
        if job.kind == "pretrain":
            chosen.box(job)
        with html.div():
            html.a(title_of(job), href=f"/jobs/{job.id}").classes("row-link")
            html.div(job.id).classes("quiet small mono")
    with html.td().classes("tight"):
        state = basics.state(job.state)
    with html.td().classes("tight"):
        bar = basics.bar(share_of(job), f"Progress of {title_of(job)}")
        bar.set_visibility(not job.ended)
    how = html.td(_how(job)).classes("quiet")
    with html.td().classes("tight quiet"):
        basics.moment(job.created_at)

    def update(now: Job) -> None:
        basics.set_state(state, now.state)
        basics.set_bar(bar, share_of(now))
        bar.set_visibility(not now.ended)
        basics.set_text(how, _how(now))

    return update


def _how(job: Job) -> str:
    if job.error is not None:
        return job.error.message
    if job.verdict is not None:
        return job.verdict.sentence
    return ""


PAGE = Page("/jobs", "Jobs", build, icon="jobs", within=("/jobs/", "/compare"))
