"""What each pretext task does to a dataset: a small picture on its card, and a larger one of the task that is chosen."""

from dataclasses import dataclass

from nicegui import html, ui
from nicegui.element import Element
from pretext_client import NotFound, PretextError, Unavailable
from pretext_client.types import Dataset, Task

from dashboard.calls import Trouble, ask
from dashboard.files import preview_url
from dashboard.parts import basics


@dataclass
class _Place:
    """A task's place on its card, and what has come of its picture."""

    task: Task
    element: Element
    path: str = ""
    """Where the picture is; empty if there is none, or not yet."""
    why_not: str = ""


class Previews:
    """Pictures that workers draw. They are asked for one after the other, that of the chosen task first.

    Args:
        shown: what is to hold the larger one.
    """

    def __init__(self, shown: Element) -> None:
        self._shown = shown
        self._places: dict[str, _Place] = {}
        self._dataset: Dataset | None = None
        self._chosen = ""
        with shown, html.figure() as self._figure:
            self._image = html.img(alt="").classes("preview")  # the caption says what is seen
            self._caption = html.figcaption("").classes("quiet small")
        self._figure.set_visibility(False)

    def begin(self, dataset: Dataset) -> None:
        """Forget another dataset's pictures."""
        self._dataset = dataset
        self._places = {}

    def place(self, task: Task) -> None:
        """Keep a place for a task's picture here."""
        with html.span().classes("task-picture loading") as element:
            pass
        self._places[task.name] = _Place(task, element)

    def choose(self, task: Task) -> None:
        """Show the picture of this task in large."""
        self._chosen = task.name
        self._show()

    def load(self) -> None:
        """Ask for the pictures, and go on meanwhile."""
        with self._shown:
            ui.timer(0.05, self._load, once=True)

    async def _load(self) -> None:
        dataset, places = self._dataset, self._places
        assert dataset is not None
        waiting = sorted(places.values(), key=lambda one: one.task.name != self._chosen)
        no_worker = ""
        for place in waiting:
            if not no_worker:
                no_worker = await _fetch(dataset.id, place)
            if place.element.is_deleted or places is not self._places:
                return  # the page was left, or another dataset was chosen
            place.why_not = place.why_not or no_worker
            _fill(place)
            if place.task.name == self._chosen:
                self._show()

    def _show(self) -> None:
        place = self._places.get(self._chosen)
        if place is None or not (place.path or place.why_not):
            self._figure.set_visibility(False)
            return
        self._image.set_visibility(bool(place.path))
        if place.path:
            self._image.props["src"] = place.path
            self._image.update()
        basics.set_text(self._caption, place.task.preview if place.path else f"There is no picture of it: {place.why_not}")
        self._figure.set_visibility(True)


async def _fetch(dataset_id: str, place: _Place) -> str:
    """Have the picture drawn, or note why it is not; gives why none will be, if that is so."""
    task = place.task.name
    try:
        content = await ask(lambda pretext: pretext.datasets.preview(dataset_id, task))
    except PretextError as error:
        place.why_not = Trouble.of(error).detail
        return place.why_not if isinstance(error, Unavailable | NotFound) else ""
    place.path = preview_url(dataset_id, task, content)
    return ""


def _fill(place: _Place) -> None:
    """The picture on its card; or, in a tooltip, why there is none."""
    place.element.classes(remove="loading")
    with place.element:
        if place.path:
            html.img(src=place.path, alt=place.task.preview).classes("preview")
        else:
            html.span("No preview", title=place.why_not).classes("quiet small")
