"""Pretext tasks as cards to choose from."""

from collections.abc import Callable, Sequence

from nicegui import html
from nicegui.element import Element
from pretext_client.types import Dataset, Task

from dashboard import words
from dashboard.parts import basics
from dashboard.parts.previews import Previews


class TaskCards:
    """One card a task, with what it asks, what it learns from, and a picture of what it does to the dataset.

    Keyboards and screen readers find radio buttons.

    Args:
        tasks: all that the server knows.
        chosen: name of the one that is chosen at first, if it fits.
        on_choice: is called with the one that is chosen, at first too.
    """

    def __init__(self, tasks: Sequence[Task], chosen: str, on_choice: Callable[[Task], None]) -> None:
        self._tasks, self._chosen, self._on_choice = tasks, chosen, on_choice
        with basics.card("Pretext task", "What the network has to find out from the pictures alone. It decides what is learnt."):
            self._cards: Element = html.div(role="radiogroup").classes("task-cards").props('aria-label="Pretext task"')
            self.preview: Element = html.div().classes("task-preview")
        self._previews = Previews(self.preview)

    def show(self, dataset: Dataset) -> None:
        """Offer the tasks for a dataset of images, or of videos."""
        fitting = [task for task in self._tasks if task.modality == (dataset.kind or "image")]
        chosen = next((task for task in fitting if task.name == self._chosen), fitting[0])
        self._cards.clear()
        self._previews.begin(dataset)
        with self._cards:
            for task in fitting:
                self._card(task, is_chosen=task is chosen)
        self._choose(chosen)
        self._previews.load()

    def _card(self, task: Task, *, is_chosen: bool) -> None:
        with html.label().classes("task-card"):
            radio = html.input_(type="radio").props(f"name=task value={task.name}")
            if is_chosen:
                radio.props["checked"] = True
            with html.span().classes("task-words") as told:
                html.strong(words.named(task.name))
                html.span(task.summary)
                if task.learns_from:
                    html.span(f"Learns {task.learns_from}.").classes("quiet small")
            radio.props["aria-labelledby"] = f"c{told.id}"  # without what its picture shows
            self._previews.place(task)
        radio.on("change", lambda: self._choose(task))

    def _choose(self, task: Task) -> None:
        self._chosen = task.name
        self._previews.choose(task)
        self._on_choice(task)
