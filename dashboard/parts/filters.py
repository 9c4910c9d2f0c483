"""Filters above a list: what is chosen is in the address, so that it can be bookmarked, and the focus stays where it is."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlencode

from nicegui import html, ui
from nicegui.element import Element

from dashboard.calls import told

Choices = Sequence[tuple[str, str]]
"""Values, and what is written in their place."""


class Filters:
    """A row of filters, and the list that they narrow.

    Args:
        path: address of the page.
        chosen: the filters' values, by name; empty: everything.
        show: builds the list, in the place below; it reads `chosen`.
    """

    def __init__(self, path: str, chosen: dict[str, str], show: Callable[[], Awaitable[None]]) -> None:
        self.chosen = chosen
        self._path, self._show = path, show
        self._lock = asyncio.Lock()
        self._row: Element = html.div(role="search").classes("filters above").props("aria-label=Filters")
        self._place: Element = html.div().classes("filtered")

    def select(self, name: str, label: str, choices: Choices) -> None:
        """One of several, or all."""
        made = self._field(name, label, html.select)
        with made:
            for value, text in (("", "All"), *choices):
                html.option(text, value=value).props("selected" if value == self.chosen[name] else "")

    def day(self, name: str, label: str) -> None:
        """A day."""
        made = self._field(name, label, html.input_)
        made.props.update({"type": "date", "^value": self.chosen[name]})

    def _field(self, name: str, label: str, kind: type[Element]) -> Element:
        with self._row, html.div().classes("filter"):
            caption = html.label(label).classes("quiet small")
            made = kind().classes("field")
            caption.props["for"] = f"c{made.id}"
        return made.on("change", lambda event: self._choose(name, str(event.args)), js_handler="(e) => emit(e.target.value)")

    async def _choose(self, name: str, value: str) -> None:
        self.chosen[name] = value
        query = urlencode({name: one for name, one in self.chosen.items() if one})
        address = json.dumps(f"{self._path}?{query}" if query else self._path)
        ui.run_javascript(f"history.replaceState({{page: {address}}}, '', {address})")
        with told():
            await self.show()
            ui.run_javascript("page.say('The list is narrowed anew')")

    async def show(self) -> None:
        """Build the list.

        Raises:
            PretextError: it cannot be read.
        """
        async with self._lock:
            self._place.clear()
            with self._place:
                await self._show()
