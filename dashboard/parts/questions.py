"""Questions in a window of their own: a few fields, and the one time that a secret is shown.

What is in the fields is read by the browser when they are sent, so that nothing is lost that was typed just before.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from nicegui import events, html, ui
from nicegui.element import Element
from pretext_client import InvalidRequest, PretextError

from dashboard.calls import Trouble, to_sign_in
from dashboard.parts import basics
from dashboard.parts.schema_form import explained

ResultT = TypeVar("ResultT")
Choices = Sequence[tuple[str, str]]
"""Values, and what is written beside them."""


@dataclass(frozen=True)
class Box:
    """Something to tick."""

    value: str
    text: str
    parts: "tuple[Box, ...]" = ()
    """What it takes in, to tick by itself."""


@dataclass(frozen=True)
class Given:
    """What was sent."""

    entries: Sequence[tuple[str, str]]

    def text(self, name: str) -> str:
        """What one field holds, without blanks around it; empty if it holds nothing."""
        return next((value.strip() for found, value in self.entries if found == name), "")

    def ticked(self, name: str) -> list[str]:
        """Which boxes of a group are ticked."""
        return [value for found, value in self.entries if found == name]


class WrongError(Exception):
    """What a field holds is of no use.

    Args:
        name: the field's.
        text: what would be, for whoever has typed it.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


@dataclass
class _Field:
    element: Element
    """What takes the focus, and is told to be wrong."""
    error: Element
    needed: bool = False
    group: bool = False


@dataclass
class Question(basics.Window):
    """A form in a window.

    `with Question("New key") as asked: asked.text("name", "Name")`, and then `await asked.answered("Make it", send)`.
    """

    fields: dict[str, _Field] = field(default_factory=dict)

    def text(
        self, name: str, label: str, *, help_: str = "", value: str = "", needed: bool = False, kind: str = "text", hint: str = ""
    ) -> Element:
        """A line of text, or of another `kind` of `<input>`, such as `date`. Gives its row."""
        row: Element = html.div().classes("form-row")
        with row:
            caption = html.label(label)
            made: Element = html.input_(type=kind, name=name, autocomplete="off").classes("field")
            made.props.update({"^value": value} if value else {})  # the attribute: as a property it would undo what is typed
            made.props.update({"placeholder": hint} if hint else {})
            if not self.fields:
                made.props["autofocus"] = True
            caption.props["for"] = f"c{made.id}"
            if needed:
                made.props["aria-required"] = "true"
            self.fields[name] = _Field(made, self._below(made, help_), needed)
        return row

    def select(
        self,
        name: str,
        label: str,
        choices: Choices,
        *,
        chosen: str = "",
        help_: str = "",
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        """One of several."""
        with html.div().classes("form-row"):
            caption = html.label(label)
            made: Element = html.select(name=name).classes("field")
            caption.props["for"] = f"c{made.id}"
            with made:
                for value, text in choices:
                    html.option(text, value=value).props("selected" if value == chosen else "")
            self.fields[name] = _Field(made, self._below(made, help_))
        if on_change is not None:
            made.on("change", lambda event: on_change(str(event.args)), js_handler="(e) => emit(e.target.value)")

    def boxes(self, name: str, label: str, boxes: Sequence[Box], *, ticked: Sequence[str], help_: str = "") -> None:
        """Any number of several; the parts of one that is ticked are put away."""
        made: Element = html.fieldset().classes("form-row boxes").props("tabindex=-1")
        with made:
            html.legend(label)
            with html.div().classes("box-grid"):
                for one in boxes:
                    self._box(name, one, ticked)
            self.fields[name] = _Field(made, self._below(made, help_), needed=True, group=True)

    def _box(self, name: str, box: Box, ticked: Sequence[str]) -> None:
        with html.label().classes("switch"):
            html.input_(type="checkbox", name=name, value=box.value).props("checked" if box.value in ticked else "")
            html.span(box.text)
        if box.parts:
            with html.div().classes("box-parts"):
                for part in box.parts:
                    self._box(name, part, ticked)

    @staticmethod
    def _below(made: Element, help_: str) -> Element:
        error: Element = html.p("").classes("field-error").props("role=alert")
        error.set_visibility(False)
        described = f"c{error.id}"
        if help_:
            described = f"c{html.p(help_).classes('help').id} {described}"
        made.props["aria-describedby"] = described
        return error

    async def answered(self, yes: str, send: Callable[[Given], Awaitable[ResultT]]) -> ResultT | None:
        """Ask. What `send` raises is said in the window, at its field if it is about one, and it stays open.

        Args:
            yes: what is on the button.
            send: does it, with what was given.

        Returns:
            What `send` has given; None if nobody wanted it.
        """
        with self.form:
            trouble = html.div(role="alert")
            with html.div().classes("actions end"):
                basics.button("Cancel", self.close, look="ghost")
                button = html.button(yes, type="submit").classes("button primary")
        result: ResultT | None = None

        async def submitted(event: events.GenericEventArguments) -> None:
            nonlocal result
            if not self.idle.is_set():
                return
            self.idle.clear()
            button.props["aria-disabled"] = "true"
            trouble.clear()
            try:
                result = await self._sent(Given([(str(name), str(value)) for name, value in event.args]), send)
                self.close()
            except PretextError as error:
                self._told(error, trouble)
            except WrongError as error:
                self._say({error.name: str(error)})
            finally:
                button.props.pop("aria-disabled", None)
                self.idle.set()

        self.form.on("submit", submitted, js_handler="(e) => { e.preventDefault(); emit([...new FormData(e.target).entries()]); }")
        await self.shown()
        return result

    async def _sent(self, given: Given, send: Callable[[Given], Awaitable[ResultT]]) -> ResultT:
        missing = {
            name: "Choose at least one." if one.group else "This is needed."
            for name, one in self.fields.items()
            if one.needed and not (given.ticked(name) if one.group else given.text(name))
        }
        self._say(missing)
        if missing:
            name = next(iter(missing))
            raise WrongError(name, missing[name])
        return await send(given)

    def _told(self, error: PretextError, trouble: Element) -> None:
        what = Trouble.of(error)
        if what.signed_out:
            to_sign_in()
            return
        mistakes: Mapping[str, str] = {}
        if isinstance(error, InvalidRequest):
            found = [(one.param, one.message) for one in error.mistakes] or [(error.param or "", error.detail)]
            mistakes = {param.partition(".")[0]: _sentence(message) for param, message in found}
        here = {name: text for name, text in mistakes.items() if name in self.fields}
        self._say(here)
        rest = [text for name, text in mistakes.items() if name not in self.fields]
        if here and not rest:
            return
        reference = f" ({what.request_id})" if what.request_id else ""
        with trouble, html.div().classes("banner bad"):
            for text in rest or [f"{what.title}: {what.detail}{reference}"]:
                html.p(text)

    def _say(self, mistakes: Mapping[str, str]) -> None:
        """Show at the fields what is wrong with them, nothing at the others, and put the focus to the first."""
        for name, one in self.fields.items():
            text = mistakes.get(name, "")
            basics.set_text(one.error, text)
            one.error.set_visibility(bool(text))
            if text:
                one.element.props["aria-invalid"] = "true"
            else:
                one.element.props.pop("aria-invalid", None)
        if mistakes:
            ui.run_javascript("page.toMistake()")


def _sentence(text: str) -> str:
    text = explained(text)
    return text[:1].upper() + text[1:]


async def shown_once(title: str, text: str, secret: str, label: str) -> None:
    """Show what is kept nowhere, until whoever reads it says that they have stored it."""
    with basics.Window(title, text, stays=True) as window:
        basics.code(secret, label, copy="Copy")
        with html.div().classes("banner"):
            html.p("It is shown this once and kept nowhere: copy it now, to where you keep secrets.")
        with html.div().classes("actions end"):
            basics.button("I have stored it", window.close, look="primary")
    await window.shown()
