"""Trainings side by side: their curves, what differs in their settings, and how many labels their encoders save."""

from collections.abc import Callable, Sequence
from itertools import islice

from nicegui import html, ui
from pretext_client import Pretext, PretextError
from pretext_client.types import Evaluation, Job

from dashboard.calls import ask, gathered
from dashboard.pages.base import Page
from dashboard.pages.jobs import title_of
from dashboard.parts import basics
from dashboard.parts.bands import Banded, banded_chart
from dashboard.parts.label_report import SCRATCH, best_curve, efficiency_curves, efficiency_table, in_words
from dashboard.parts.overlay import Overlay, swatch
from dashboard.parts.schema_form import explained
from dashboard.parts.specs import differing

MOST = 12
"""That can be told apart in one chart."""
_FEWEST = 2
_EVALUATIONS = 20
_CURVE = "label_efficiency.png"
"""The file of a report that measured accuracy by labels."""
_LOOK_SECONDS = 3.0


async def build(jobs: str = "") -> None:
    """Those that are named in the address: `?jobs=job_a,job_b`."""
    wanted = list(dict.fromkeys(one.strip() for one in jobs.split(",") if one.strip()))
    lead = f"The first {MOST} of {len(wanted)}; more cannot be told apart." if len(wanted) > MOST else ""
    basics.heading("Compare", lead, back=("Jobs", "/jobs"))
    if len(wanted) < _FEWEST:
        text = "Mark two or more trainings in the list of jobs, and then choose Compare above it."
        with basics.empty("Nothing to compare yet", text, "compare"):
            basics.link("Choose from the jobs", "/jobs?kind=pretrain", look="button primary")
        return
    found = await gathered(_job(one) for one in wanted[:MOST])
    named = dict(zip(_names(found), found, strict=True))
    places = html.div().classes("compared")
    overlay = Overlay(named)
    await overlay.load()
    with places:
        _trainings(named)
    _settings(named)
    await _labels(named)

    async def look() -> None:
        try:
            await overlay.load()
        except PretextError:
            return  # the server is away; the next look may find it again
        if not overlay.live:
            timer.deactivate()

    timer = ui.timer(_LOOK_SECONDS, look, active=overlay.live)


def _job(job_id: str) -> Callable[[Pretext], Job]:
    return lambda pretext: pretext.jobs.get(job_id)


def _names(jobs: Sequence[Job]) -> list[str]:
    """What each is called: its title, with the end of its id where another one has the same."""
    titles = [title_of(job) for job in jobs]
    return [f"{title} ({job.id[-6:]})" if titles.count(title) > 1 else title for title, job in zip(titles, jobs, strict=True)]


def _trainings(named: dict[str, Job]) -> None:
    with html.div().classes("table-wrap"), html.table().classes("listing"):
        html.caption("Jobs that are compared").classes("unseen")
        with html.thead(), html.tr():
            for head in ("Job", "State", "How it went", "Model"):
                html.th(head, scope="col")
        with html.tbody():
            for place, (name, job) in enumerate(named.items()):
                with html.tr():
                    with html.td(), html.span().classes("named"):
                        swatch(place)
                        html.a(name, href=f"/jobs/{job.id}")
                    with html.td().classes("tight"):
                        basics.state(job.state)
                    html.td(job.error.message if job.error else job.verdict.sentence if job.verdict else "").classes("quiet")
                    with html.td().classes("tight"):
                        if job.model_id:
                            html.a("its model", href=f"/models/{job.model_id}")


def _settings(named: dict[str, Job]) -> None:
    rows = differing([{"kind": job.kind, "dataset_id": job.dataset_id, **job.spec} for job in named.values()])
    with basics.card("What differs in their settings", "" if rows else "Nothing does."):
        if rows:
            basics.table("Settings that differ", ["Setting", *named], [[name, *cells] for name, cells in rows])


async def _labels(named: dict[str, Job]) -> None:
    """Label efficiency of the encoders; what was measured on different datasets stands apart, as it cannot be compared."""
    found = await gathered(_evaluations(job) for job in named.values())
    by_dataset: dict[str, dict[str, Evaluation]] = {}
    for name, evaluations in zip(named, found, strict=True):
        for one in evaluations:  # the newest first
            by_dataset.setdefault(one.dataset_id or "", {}).setdefault(name, one)
    for dataset_id, of in sorted(by_dataset.items(), key=lambda pair: -len(pair[1])):
        await _on_dataset(dataset_id, of)
    missing = [name for name in named if not any(name in of for of in by_dataset.values())]
    if not by_dataset:
        basics.card("Labels saved", "None of their models has been evaluated yet. Start an evaluation on a model's page.")
    elif missing:
        html.p(f"Not measured yet: {', '.join(missing)}. Start an evaluation on the page of its model.").classes("quiet small")


async def _on_dataset(dataset_id: str, of: dict[str, Evaluation]) -> None:
    """One figure of all that were measured on a dataset, and their sentences."""
    curves = [Banded(name, best_curve(one.report or {})) for name, one in of.items()]
    first = next(iter(of.values())).report or {}
    curves += [curve for curve in efficiency_curves(first) if curve.name == SCRATCH]
    versions = {str((one.report or {}).get("labels_version")) for one in of.values()}
    with basics.card("Labels saved", await _dataset_name(dataset_id)):
        if len(versions) > 1:
            html.p("Its labels have changed between these evaluations: compare with care.").classes("banner")
        banded_chart(curves, first.get("chance"), f"Accuracy by labels per class: {in_words(curves)}")
        with html.details().classes("fold inner"):
            html.summary("The figures as a table")
            efficiency_table(curves)
        basics.facts([(name, explained(one.sentence)) for name, one in of.items()])


async def _dataset_name(dataset_id: str) -> str:
    try:
        name = (await ask(lambda pretext: pretext.datasets.get(dataset_id))).name
    except PretextError:  # it may have been deleted since
        name = "a dataset that is gone"
    return (
        f"Accuracy by labels per class on {name}, with 95% intervals; each encoder in the better of its two uses. Dashed: guessing."
    )


def _evaluations(job: Job) -> Callable[[Pretext], list[Evaluation]]:
    """Reads those of the model that a training made, whole, with label efficiency; the newest of each dataset."""

    def work(pretext: Pretext) -> list[Evaluation]:
        if job.kind != "pretrain" or job.model_id is None:
            return []
        newest: dict[str | None, str] = {}
        for one in islice(pretext.evaluations.list(model_id=job.model_id), _EVALUATIONS):
            if any(file.name == _CURVE for file in one.files):
                newest.setdefault(one.dataset_id, one.id)
        return [pretext.evaluations.get(one) for one in newest.values()]

    return work


PAGE = Page("/compare", "Compare", build)
