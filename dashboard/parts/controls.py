"""Controls: choices and switches, each with a name that is seen or read out."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import html
from nicegui.element import Element

_VALUE, _CHECKED = "(event) => emit(event.target.value)", "(event) => emit(event.target.checked)"


def choice(
    label: str, options: Mapping[str, str], chosen: str, on_change: Callable[[str], Any], *, look: str = "compact"
) -> Element:
    """A select whose name is only read out.

    Args:
        label: what is chosen.
        options: by value, how each is called.
        chosen: the value at first.
        on_change: is called with the value.
        look: `compact` beside a heading, or nothing.
    """
    made: Element = html.select().classes(f"field {look}")
    made.props["aria-label"] = label
    set_choices(made, options, chosen)
    return made.on("change", lambda event: on_change(str(event.args)), js_handler=_VALUE)


def set_choices(made: Element, options: Mapping[str, str], chosen: str) -> None:
    """Offer other values in what `choice` made."""
    made.clear()
    with made:
        for value, text in options.items():
            html.option(text, value=value).props("selected" if value == chosen else "")


def switch(label: str, on_change: Callable[[bool], Any], *, on: bool = False, look: str = "") -> Element:
    """A box to tick, with its name beside it."""
    with html.label().classes(f"switch {look}"):
        box: Element = html.input_(type="checkbox")
        html.span(label)
    if on:
        box.props["checked"] = True
    return box.on("change", lambda event: on_change(bool(event.args)), js_handler=_CHECKED)
