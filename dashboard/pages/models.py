"""Models: the encoders that were trained here, or brought along."""

from collections.abc import Callable

from nicegui import html
from pretext_client.types import Model

from dashboard import words
from dashboard.pages.base import Page
from dashboard.parts import basics
from dashboard.parts.listing import Listing


async def build() -> None:
    """The list."""
    basics.heading("Models", "Encoders to download, to evaluate, and to embed by.")
    await Listing(
        lambda pretext, after, limit: list(pretext.models.list(after=after, limit=limit)),
        _row,
        columns=("Name", "Task", "Encoder", "Size", "Made"),
        label="Models",
        none=_none,
    ).start()


def _none() -> None:
    with basics.empty("No models yet", "A training that succeeds leaves its encoder here.", "models"):
        basics.link("To the jobs", "/jobs", look="button")


def _row(model: Model) -> Callable[[Model], None]:
    with html.td():
        name = html.a(model.name, href=f"/models/{model.id}").classes("row-link")
        html.div(model.id).classes("quiet small mono")
    html.td(task_of(model)).classes("tight")
    html.td(str(model.encoder.get("name", ""))).classes("tight")
    size = html.td(_size(model)).classes("tight num quiet")
    with html.td().classes("tight quiet"):
        basics.moment(model.created_at)

    def update(now: Model) -> None:
        basics.set_text(name, now.name)
        basics.set_text(size, _size(now))

    return update


def task_of(model: Model) -> str:
    """What it was trained by, in a word."""
    return words.named(model.task) if model.task else "Brought along"


def _size(model: Model) -> str:
    return words.size(sum(file.bytes for file in model.files))


PAGE = Page("/models", "Models", build, icon="models", within=("/models/",))
