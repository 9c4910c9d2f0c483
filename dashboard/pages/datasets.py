"""Datasets: all of them, and how a new one comes in."""

from collections.abc import Callable

from nicegui import html
from pretext_client.types import Dataset

from dashboard import words
from dashboard.calls import session
from dashboard.pages.base import Page
from dashboard.parts import basics
from dashboard.parts.drop import drop_zone
from dashboard.parts.listing import Listing


async def build() -> None:
    """The list, below the place to drop pictures."""
    basics.heading("Datasets", "Pictures or clips to learn from. They need no labels.")
    if session().rights.allow("write"):
        drop_zone()
    await Listing(
        lambda pretext, after, limit: list(pretext.datasets.list(after=after, limit=limit)),
        _row,
        columns=("Name", "State", "Contents", "Size", "Uploaded"),
        label="Datasets",
        none=_none,
    ).start()


def _none() -> None:
    can = session().rights.allow("write")
    text = (
        "Drop a folder of pictures, or an archive, into the field above. Each file is checked, and then you can train on it."
        if can
        else "Your key is for reading only: somebody with a key for writing has to upload the first pictures."
    )
    basics.empty("No datasets yet", text, "image")


def _row(dataset: Dataset) -> Callable[[Dataset], None]:
    with html.td():
        html.a(dataset.name, href=f"/datasets/{dataset.id}").classes("row-link")
    with html.td().classes("tight"):
        state = basics.state(dataset.state)
    contents = html.td(contents_of(dataset)).classes("tight num")
    html.td(words.size(dataset.bytes or 0)).classes("tight num quiet")
    with html.td().classes("tight quiet"):
        basics.moment(dataset.created_at)

    def update(now: Dataset) -> None:
        basics.set_state(state, now.state)
        basics.set_text(contents, contents_of(now))

    return update


def contents_of(dataset: Dataset) -> str:
    """What is in it, in a few words."""
    if dataset.state == "failed":
        return "not usable"
    if dataset.videos is not None:
        return words.count(dataset.videos, "video")
    if dataset.images is not None:
        return words.count(dataset.images, "image")
    return ""


PAGE = Page("/datasets", "Datasets", build, icon="datasets", within=("/", "/datasets/"))
