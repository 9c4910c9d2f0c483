"""One dataset: its pictures, what the check found, its labels."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nicegui import events, html, ui
from pretext_client.types import Dataset, Job, Json, Labelled, Report, Sample

from dashboard import words
from dashboard.calls import ask, notice, rebuild, session, told
from dashboard.files import thumbnail_url
from dashboard.pages.base import Page
from dashboard.pages.datasets import contents_of
from dashboard.pages.jobs import share_of
from dashboard.parts import basics
from dashboard.parts.counts import bars
from dashboard.parts.questions import Given, Question
from dashboard.parts.refused import RefusedFiles

_THUMBNAILS = 36
_ENLARGED = 512
"""Longest side in pixels."""
_MOST_CLASSES = 30
_MOST_TABLE = 64 << 20
_SMALL = 64
"""Pixels: pictures whose longer side has fewer are shown as squares, and not blurred."""


async def build(dataset_id: str) -> None:
    """Everything about it; while it is being checked, how far that is."""
    dataset = await ask(lambda pretext: pretext.datasets.get(dataset_id))
    can = session().rights.allow("write")
    with basics.heading(dataset.name, _lead(dataset), back=("Datasets", "/datasets")):
        if dataset.state == "ready" and can:
            basics.link("Train on it", f"/new-job?dataset={dataset.id}", look="button primary")
        if dataset.state == "ready" and can:
            basics.button("Rename", lambda: _rename(dataset))
        if dataset.state != "ingesting" and can:
            basics.button("Delete", lambda: _delete(dataset), look="danger", icon_name="trash")
    if dataset.state == "ingesting":
        await _checking(dataset)
    elif dataset.state == "failed":
        with html.div(role="alert").classes("banner bad"):
            html.p(dataset.error.message if dataset.error else "The check has failed.")
    else:
        await _ready(dataset)


def _lead(dataset: Dataset) -> str:
    parts = [contents_of(dataset), words.size(dataset.bytes or 0), f"uploaded {words.ago(dataset.created_at)}"]
    return " · ".join(part for part in parts if part)


async def _checking(dataset: Dataset) -> None:
    """The check of an upload, live; the page builds itself anew at its end."""
    with basics.card("Checking the files", "Every file is opened once. You can leave this page; it goes on."):
        bar = basics.bar(None, "Check of the files")
        said = html.p("Waiting for a worker …").classes("quiet num")

    async def look() -> None:
        now: Dataset = await ask(lambda pretext: pretext.datasets.get(dataset.id))
        if now.state != "ingesting":
            timer.deactivate()
            ui.run_javascript(f"page.say('The dataset is {'ready' if now.state == 'ready' else 'not usable'}')")
            await rebuild()
            return
        if now.job_id is not None:
            job: Job = await ask(lambda pretext: pretext.jobs.get(str(now.job_id)))
            basics.set_bar(bar, share_of(job))
            basics.set_text(said, _how_far(job))

    timer = ui.timer(1.0, look)


def _how_far(job: Job) -> str:
    progress = job.progress
    if progress is None or progress.done is None:
        return "Waiting for a worker …" if job.state == "queued" else "Looking at the upload …"
    of = f" of {progress.total:,.0f}" if progress.total else ""
    return f"{progress.done:,.0f}{of} {progress.unit or ''}"


async def _ready(dataset: Dataset) -> None:
    report: Report = await ask(lambda pretext: pretext.datasets.report(dataset.id))
    found: Json = report.report
    _stats(dataset, found)
    for warning in found.get("warnings") or ():
        with html.div().classes("banner"):
            html.p(str(warning))
    await _samples(dataset)
    with html.div().classes("columns"):
        _labels(dataset)
        _facts(found)
    if report.refused:
        RefusedFiles(report)


def _stats(dataset: Dataset, found: Json) -> None:
    sizes = found.get("sizes") or {}
    duplicates = found.get("exact_duplicates") or {}
    with html.div().classes("stats"):
        if dataset.videos is not None:
            basics.stat("Videos", f"{dataset.videos:,}")
            basics.stat("Frames", f"{dataset.frames or 0:,}")
        else:
            basics.stat("Images", f"{dataset.images or 0:,}")
        if sizes.get("median_side"):
            basics.stat("Median shorter side", f"{sizes['median_side']} px")
        basics.stat("Classes", f"{len(dataset.labels)}" if dataset.labels else "no labels")
        basics.stat("Exact duplicates", f"{duplicates.get('images', 0):,}")
        basics.stat("Refused files", f"{dataset.refused or 0:,}")


async def _samples(dataset: Dataset) -> None:
    """Thumbnails, a page at a time."""
    with basics.card("Samples"):
        grid = html.ul().classes("thumbs")
        last = -1

        async def more() -> None:
            nonlocal last
            with told():
                after = last
                found: list[Sample] = await ask(
                    lambda pretext: list(pretext.datasets.samples(dataset.id, after=after, limit=_THUMBNAILS + 1))
                )
                for sample in found[:_THUMBNAILS]:
                    _thumbnail(grid, dataset, sample)
                    last = sample.index
                button.set_visibility(len(found) > _THUMBNAILS)

        button = basics.button("Show more", more, look="ghost more")
        await more()


def _thumbnail(grid: Any, dataset: Dataset, sample: Sample) -> None:
    described = f"{sample.path}, {sample.width} x {sample.height} pixels"
    with grid, html.li(), html.figure():
        with html.button(type="button").classes("sample") as button:
            image = html.img(src=thumbnail_url(dataset.id, sample.index), alt=described, title=described, loading="lazy")
            image.props("width=96 height=96" + (" data-small" if max(sample.width, sample.height) < _SMALL else ""))
        button.on("click", lambda: _enlarge(dataset, sample))
        if sample.label:
            html.figcaption(sample.label).props["title"] = sample.label


async def _enlarge(dataset: Dataset, sample: Sample) -> None:
    """Show a sample as large as the server gives it, in front of the page."""
    about = [f"{sample.width} x {sample.height} pixels", sample.label or "", sample.split or ""]
    with basics.Window(sample.path, " · ".join(filter(None, about))) as window:
        image = html.img(src=thumbnail_url(dataset.id, sample.index, _ENLARGED), alt=sample.path).classes("enlarged")
        image.props("data-small" if max(sample.width, sample.height) < _SMALL else "")
        with html.div().classes("actions end"):
            basics.button("Close", window.close).props("autofocus")
    await window.shown()


def _labels(dataset: Dataset) -> None:
    lead = {
        "folders": "From the class folders of the upload. Pretraining never looks at them.",
        "table": "From a table that was uploaded. Pretraining never looks at them.",
    }.get(dataset.labels_from or "", "There are none, and pretraining needs none. An evaluation needs some: give them by a table.")
    with basics.card("Labels", lead):
        counts = dict(dataset.label_counts or {})
        if counts:
            bars(sorted(counts.items(), key=lambda pair: -pair[1])[:_MOST_CLASSES])
            if len(counts) > _MOST_CLASSES:
                html.p(f"and {words.count(len(counts) - _MOST_CLASSES, 'more class', 'more classes')}").classes("quiet small")
        if session().rights.allow("write"):
            _label_upload(dataset)


def _label_upload(dataset: Dataset) -> None:
    html.p("A CSV file with the columns file, label and, if you like, split.").classes("quiet small")
    chooser = ui.upload(
        on_upload=lambda event: _label(dataset, event), auto_upload=True, max_files=1, max_file_size=_MOST_TABLE
    ).props('accept=".csv,text/csv"')
    chooser.classes("away")
    with html.div().classes("actions"):
        basics.button("Upload labels", lambda: chooser.run_method("pickFiles"), icon_name="labels")


async def _label(dataset: Dataset, event: events.UploadEventArguments) -> None:
    """Give the files labels by a table, and say what came of it."""
    content = await event.file.read()

    def label(table: bytes) -> Callable[[Any], Labelled]:
        def work(pretext: Any) -> Labelled:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "labels.csv"
                path.write_bytes(table)
                labelled: Labelled = pretext.datasets.label(dataset.id, path)
                return labelled

        return work

    with told():
        done = await ask(label(content))
        unmatched = f", {words.count(done.unmatched, 'line')} fit no file" if done.unmatched else ""
        notice(f"{words.count(done.matched, 'file')} labelled{unmatched}.", bad=bool(done.unmatched))
        await rebuild()


def _facts(found: Json) -> None:
    sizes = found.get("sizes") or {}
    pairs = [("Formats", _counted(found.get("formats"))), ("Colour modes", _counted(found.get("modes")))]
    spreads = [(side, sizes[side]) for side in ("width", "height") if sizes.get(side)]
    pairs += [(f"{words.named(side)}, px", f"{one['min']} to {one['max']}, median {one['median']}") for side, one in spreads]
    duplicates = found.get("exact_duplicates") or {}
    if duplicates.get("images"):
        pairs.append(("Exact duplicates", f"{duplicates['images']:,} in {words.count(duplicates['groups'], 'group')}"))
    if found.get("splits"):
        pairs.append(("Splits", _counted(found["splits"])))
    if found.get("seconds") is not None:
        pairs.append(("Checked in", words.duration(found["seconds"])))
    with basics.card("What the check found"):
        basics.facts([(name, value) for name, value in pairs if value])


def _counted(counts: Json | None) -> str:
    return ", ".join(f"{name} ({number:,})" for name, number in (counts or {}).items())


async def _rename(dataset: Dataset) -> None:
    with Question("Rename the dataset") as asked:
        asked.text("name", "Name", value=dataset.name, needed=True)

    async def send(given: Given) -> Dataset:
        return await ask(lambda pretext: pretext.datasets.update(dataset.id, name=given.text("name")))

    if await asked.answered("Rename", send) is not None:
        await rebuild()


async def _delete(dataset: Dataset) -> None:
    text = f"“{dataset.name}” and its files will be gone for good. Models that were trained on it stay."
    if not await basics.confirmed("Delete this dataset?", text, "Delete"):
        return
    with told():
        await ask(lambda pretext: pretext.datasets.delete(dataset.id))
        ui.navigate.to("/datasets")


PAGE = Page("/datasets/{dataset_id}", "Dataset", build)
