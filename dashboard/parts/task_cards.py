"""Pretext tasks as cards to choose from."""

from collections.abc import Callable, Sequence

from nicegui import html
from nicegui.element import Element
from pretext_client.types import Task

from dashboard import words
from dashboard.parts import basics


class TaskCards:
    """One card a task, with what it asks and what it learns from; keyboards and screen readers find radio buttons.

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
            """Room for a picture of what the chosen task does to this dataset."""

    def show(self, modality: str) -> None:
        """Offer the tasks for images, or for videos."""
        fitting = [task for task in self._tasks if task.modality == modality]
        chosen = next((task for task in fitting if task.name == self._chosen), fitting[0])
        self._cards.clear()
        with self._cards:
            for task in fitting:
                self._card(task, is_chosen=task is chosen)
        self._choose(chosen)

    def _card(self, task: Task, *, is_chosen: bool) -> None:
        with html.label().classes("task-card"):
            radio = html.input_(type="radio").props(f"name=task value={task.name}")
            if is_chosen:
                radio.props["checked"] = True
            with html.span().classes("task-words"):
                html.strong(words.named(task.name))
                html.span(task.summary)
                if task.learns_from:
                    html.span(f"Learns {task.learns_from}.").classes("quiet small")
        radio.on("change", lambda: self._choose(task))

    def _choose(self, task: Task) -> None:
        self._chosen = task.name
        self._on_choice(task)
