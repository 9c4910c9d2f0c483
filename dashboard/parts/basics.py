"""The smallest parts: headings, buttons, states, empty places, troubles, questions."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from nicegui import html, ui
from nicegui.element import Element

from dashboard import words
from dashboard.calls import Trouble
from dashboard.icons import icon

Action = Callable[[], Awaitable[Any] | None]

_STATES = {
    "queued": ("waiting", "Queued"),
    "ingesting": ("active", "Checking files"),
    "running": ("active", "Running"),
    "pausing": ("active", "Pausing"),
    "cancelling": ("active", "Cancelling"),
    "paused": ("waiting", "Paused"),
    "ready": ("good", "Ready"),
    "succeeded": ("good", "Succeeded"),
    "failed": ("bad", "Failed"),
    "cancelled": ("off", "Cancelled"),
    "alive": ("good", "Alive"),
    "gone": ("bad", "Gone"),
    "valid": ("good", "Valid"),
    "enabled": ("good", "Enabled"),
    "disabled": ("off", "Disabled"),
    "failing": ("bad", "Failing"),
    "pending": ("waiting", "Pending"),
    "sending": ("active", "Sending"),
    "delivered": ("good", "Delivered"),
    "done": ("good", "Done"),
    "denied": ("bad", "Denied"),
}


def heading(title: str, lead: str = "", *, back: tuple[str, str] | None = None) -> Element:
    """The page's heading. What is built within what it gives stands beside it: the page's buttons.

    `with heading("Jobs"): button("New job", …)`

    Args:
        title: what the page is about.
        lead: a line below it.
        back: name and address of the page that this one belongs to.
    """
    with html.div().classes("page-head"):
        with html.div().classes("page-title"):
            if back is not None:
                html.a(f"← {back[0]}", href=back[1]).classes("crumb")
            html.h1(title).props("tabindex=-1")
            if lead:
                html.p(lead).classes("quiet")
        actions: Element = html.div().classes("actions")
    return actions


def card(title: str = "", lead: str = "") -> Element:
    """A framed part of a page, with a heading of its own."""
    section: Element = html.section().classes("card")
    with section:
        if title:
            heading_ = html.h2(title)
            section.props(f"aria-labelledby=c{heading_.id}")
        if lead:
            html.p(lead).classes("quiet")
    return section


def button(text: str, do: Action, *, look: str = "", icon_name: str = "", label: str = "") -> Element:
    """A button. While what it does is being done, it cannot be pressed again.

    Args:
        text: what is on it; may be empty if there is an icon and a `label`.
        do: what it does; may be async.
        look: `primary` (one a page), `danger`, `ghost`, or nothing.
        icon_name: an icon before the text.
        label: what screen readers say, if that is not the text.
    """
    made: Element = html.button(type="button").classes(f"button {look}")
    with made:
        if icon_name:
            icon(icon_name)
        if text:
            html.span(text)
    if label:
        made.props["aria-label"] = label
        made.props["title"] = label

    async def pressed() -> None:
        made.props["aria-disabled"] = "true"
        try:
            result = do()
            if inspect.isawaitable(result):
                await result
        finally:
            if not made.is_deleted:  # what it did may have built the page anew
                made.props.pop("aria-disabled", None)

    return made.on("click", pressed)


def link(text: str, path: str, *, look: str = "") -> Element:
    """A link to another page; `look="button primary"` makes it look like a button."""
    made: Element = html.a(text, href=path).classes(look)
    return made


def state(name: str) -> Element:
    """A state in words, with a dot in its colour. `set_state` changes it."""
    made: Element = html.span().classes("state")
    with made:
        html.span().classes("dot").props("aria-hidden=true")
        html.span("")
    set_state(made, name)
    return made


def set_state(made: Element, name: str) -> None:
    """Let what `state` made show another state."""
    kind, text = _STATES.get(name, ("off", words.named(name)))
    if made.props.get("data-kind") != kind:
        made.props["data-kind"] = kind
    set_text(list(made)[1], text)


def set_text(element: Element, text: str) -> None:
    """Change an element's text, and send it only if it is another one."""
    if element._text != text:  # noqa: SLF001  plain elements have no public way to their text
        element._text = text  # noqa: SLF001
        element.update()


def moment(at: datetime) -> Element:
    """How long ago something was; the exact time is in its tooltip."""
    exact = at.isoformat(timespec="seconds")
    made: Element = html.time(words.ago(at), datetime=exact, title=f"{at:%Y-%m-%d %H:%M:%S} UTC").props("data-ago")
    return made


def bar(share: float | None, label: str) -> Element:
    """A progress bar, 0 to 1; None: nobody knows how far it is. `set_bar` moves it."""
    made: Element = html.div(role="progressbar").classes("bar")
    made.props["aria-label"] = label
    made.props.update({"aria-valuemin": "0", "aria-valuemax": "100"})
    with made:
        html.div()
    set_bar(made, share)
    return made


def set_bar(made: Element, share: float | None) -> None:
    """Move what `bar` made."""
    (inner,) = list(made)
    if share is None:
        made.classes(add="unknown")
        made.props.pop("aria-valuenow", None)
        inner.style("width: 100%")
        return
    made.classes(remove="unknown")
    made.props["aria-valuenow"] = f"{100 * share:.0f}"
    inner.style(f"width: {100 * min(1.0, max(0.0, share)):.1f}%")


def empty(title: str, text: str, icon_name: str = "datasets") -> Element:
    """What stands where nothing is yet. What is built within: what to do next."""
    with html.div().classes("empty"):
        icon(icon_name)
        html.h2(title)
        html.p(text).classes("quiet")
        actions: Element = html.div().classes("actions")
    return actions


def trouble(what: Trouble, again: Action | None = None) -> None:
    """What went wrong, in place of what should be there."""
    with html.div(role="alert").classes("empty trouble-box"):
        icon("alert")
        html.h1(what.title) if what.title == "Not found" else html.h2(what.title)
        html.p(what.detail).classes("quiet")
        if what.request_id:
            html.p(f"For the administrator: {what.request_id}").classes("quiet small mono")
        with html.div().classes("actions"):
            if again is not None:
                button("Try again", again)
            link("To the datasets", "/datasets", look="button ghost")


def stat(name: str, value: str) -> Element:
    """A figure in a row of `stats`; gives the element of its value, for `set_text`."""
    with html.div().classes("stat"):
        shown: Element = html.span(value).classes("value")
        html.span(name).classes("name")
    return shown


def facts(pairs: list[tuple[str, str]]) -> Element:
    """Names and values, one below the other."""
    made: Element = html.dl().classes("facts")
    with made:
        for name, value in pairs:
            with html.div():
                html.dt(name)
                html.dd(value)
    return made


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Element:
    """Texts in rows, of which the first cell names the row. Wide ones scroll by themselves, by keyboard too."""
    place: Element = html.div(role="region", tabindex="0").classes("scroll free")
    place.props["aria-label"] = caption
    with place, html.table().classes("listing small-listing plain"):
        html.caption(caption).classes("unseen")
        with html.thead(), html.tr():
            for head in heads:
                html.th(head, scope="col")
        with html.tbody():
            for first, *rest in rows:
                with html.tr():
                    html.th(first, scope="row")
                    for cell in rest:
                        html.td(cell).classes("num")
    return place


def code(text: str, label: str, *, copy: str = "") -> Element:
    """Lines to copy, with a button that does. `set_text` changes them.

    Args:
        text: the lines.
        label: what screen readers call them.
        copy: what is on the button; empty: an icon alone.
    """
    with html.div().classes("code wide-copy" if copy else "code"):
        shown: Element = html.pre(text, tabindex="0", role="region").classes("mono")
        shown.props["aria-label"] = label
        button_: Element = html.button(type="button").classes("button copy" if copy else "button ghost copy")
        button_.props.update({"aria-label": f"Copy {label}", "title": f"Copy {label}"})
        with button_:
            icon("copy")
            if copy:
                html.span(copy)
        button_.on("click", js_handler="(e) => page.copy(e.currentTarget)")
    return shown


@dataclass
class Window:
    """A window in front of the page, with a form in it. A click beside it does not take it away.

    `with Window("New key") as window: …`, and then `await window.shown()`.
    """

    title: str
    lead: str = ""
    stays: bool = False
    """Whether Escape does not take it away, either."""

    def __post_init__(self) -> None:
        self.idle = asyncio.Event()
        """Whether nothing is under way that has to end before the window is gone, whoever has closed it meanwhile."""
        self.idle.set()

    def __enter__(self) -> Self:
        self._dialog = ui.dialog().props("persistent" if self.stays else "no-backdrop-dismiss")
        with self._dialog, html.div().classes("dialog"):
            heading_ = html.h2(self.title)
            self._dialog.props["aria-labelledby"] = f"c{heading_.id}"
            if self.lead:
                self._dialog.props["aria-describedby"] = f"c{html.p(self.lead).classes('quiet').id}"
            self.form: Element = html.form().props("novalidate")
        self.form.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.form.__exit__(*raised)

    def close(self) -> None:
        """Take it away."""
        self._dialog.submit(None)

    async def shown(self) -> None:
        """Show it until it is closed."""
        await self._dialog
        await self.idle.wait()
        if not self._dialog.is_deleted:
            self._dialog.delete()
        ui.run_javascript("page.back()")


async def confirmed(title: str, text: str, yes: str) -> bool:
    """Ask before something is done that cannot be undone."""
    with ui.dialog() as dialog, html.div().classes("dialog"):
        asked = html.h2(title)
        said = html.p(text).classes("quiet")
        dialog.props.update({"role": "alertdialog", "aria-labelledby": f"c{asked.id}", "aria-describedby": f"c{said.id}"})
        with html.div().classes("actions end"):
            button("Keep", lambda: dialog.submit(False), look="ghost").props("autofocus")
            button(yes, lambda: dialog.submit(True), look="danger")
    answer = await dialog
    dialog.delete()
    ui.run_javascript("page.back()")
    return bool(answer)
