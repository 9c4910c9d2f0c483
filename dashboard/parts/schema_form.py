"""A form that is made of a JSON Schema: a field for each setting, with its words, its bounds and its units.

What is left as it is does not become part of the request, so that the server decides it and says in the job what it decided.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import html
from nicegui.element import Element

from dashboard import words
from dashboard.parts import basics

Schema = Mapping[str, Any]


class WrongInputError(Exception):
    """What was typed into a field is no value for it."""


@dataclass(frozen=True)
class Kind:
    """What a field takes."""

    choices: tuple[Any, ...] = ()
    """Values to choose from; none: it is typed."""
    number: str = ""
    """`integer` or `number`, if one is typed."""
    words: tuple[str, ...] = ()
    """Words that may stand in place of the number, such as `auto`."""
    switch: bool = False

    @classmethod
    def of(cls, schema: Schema) -> "Kind | None":
        """What a schema asks for; None if a field of a form cannot give it."""
        if schema.get("type") == "boolean":
            return cls(switch=True)
        if "enum" in schema:
            return cls(choices=tuple(schema["enum"]))
        if schema.get("type") in {"integer", "number"}:
            return cls(number=schema["type"])
        if schema.get("type") == "string" and "const" not in schema:
            return cls()
        parts = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
        numbers = [part["type"] for part in parts if part.get("type") in {"integer", "number"} and "enum" not in part]
        fixed = [tuple(part.get("enum", [part.get("const")])) for part in parts if "enum" in part or "const" in part]
        values = tuple(value for found in fixed for value in found)
        if numbers and len(numbers) + len(fixed) == len(parts):
            return cls(number=numbers[0], words=tuple(map(str, values)))
        if fixed and len(fixed) == len(parts):
            return cls(choices=values)
        if len(parts) == 1 and parts[0].get("type") == "string":
            return cls()
        return None


class Field:
    """A setting.

    Args:
        path: its name in the request, with dots between its levels.
        schema: its own.
        value: what it holds at first; None: its default.
        on_change: is called when somebody has changed it.
    """

    def __init__(self, path: str, schema: Schema, value: Any, on_change: Callable[[], None]) -> None:
        kind = Kind.of(schema)
        assert kind is not None
        self.path = path
        self._kind, self._default, self._on_change = kind, schema.get("default"), on_change
        self._typed: Any = value
        with html.div().classes("form-row") as self.row:
            self._input = self._build(schema)
            self.error = html.p("").classes("field-error").props("role=alert")
            self.error.set_visibility(False)
            if told := explained(str(schema.get("description", ""))):
                helped = html.p(told).classes("help")
                self._input.props["aria-describedby"] = f"c{helped.id} c{self.error.id}"

    def _build(self, schema: Schema) -> Element:
        name = words.named(self.path.rpartition(".")[2])
        if self._kind.switch:
            return self._switch(name)
        label = html.label(name)
        made: Element = self._select() if self._kind.choices else self._text(schema)
        label.props["for"] = f"c{made.id}"
        return made

    def _switch(self, name: str) -> Element:
        with html.label().classes("switch strong"):
            made: Element = html.input_(type="checkbox")
            html.span(name)
        if self._default if self._typed is None else self._typed:
            made.props["checked"] = True
        return made.on("change", lambda event: self._set(bool(event.args)), js_handler="(e) => emit(e.target.checked)")

    def _select(self) -> Element:
        made: Element = html.select().classes("field")
        now = self._default if self._typed is None else self._typed
        with made:
            for choice in self._kind.choices:
                html.option(str(choice), value=str(choice)).props("selected" if choice == now else "")
        by_text = {str(choice): choice for choice in self._kind.choices}
        return made.on("change", lambda event: self._set(by_text[event.args]), js_handler="(e) => emit(e.target.value)")

    def _text(self, schema: Schema) -> Element:
        made: Element = html.input_(type="text", autocomplete="off").classes("field num")
        if self._kind.number and not self._kind.words:
            made.props["inputmode"] = "decimal" if self._kind.number == "number" else "numeric"
        default = schema.get("default")
        made.props["placeholder"] = "not set" if default is None else str(default)
        if self._typed is not None:
            made.props["value"] = str(self._typed)
        return made.on(
            "input", lambda event: self._set(str(event.args).strip()), js_handler="(e) => emit(e.target.value)", throttle=0.2
        )

    def _set(self, typed: Any) -> None:
        self._typed = None if typed == "" else typed
        self.say("")
        self._on_change()

    def value(self) -> Any:
        """What is in it; None if it was left as it is.

        Raises:
            WrongInputError: it is no value for this field.
        """
        typed = self._typed
        if typed is None or typed == self._default:
            return None
        if not self._kind.number or not isinstance(typed, str) or typed in self._kind.words:
            return typed
        try:
            return int(typed.replace(",", "").replace("_", "")) if self._kind.number == "integer" else float(typed)
        except ValueError as error:
            whole = "a whole number" if self._kind.number == "integer" else "a number"
            also = f", or {' or '.join(self._kind.words)}" if self._kind.words else ""
            raise WrongInputError(f"This has to be {whole}{also}.") from error

    def say(self, text: str) -> None:
        """Show at the field what is wrong with it; nothing takes it away."""
        basics.set_text(self.error, text)
        self.error.set_visibility(bool(text))
        if bool(text) != ("aria-invalid" in self._input.props):
            if text:
                self._input.props["aria-invalid"] = "true"
            else:
                self._input.props.pop("aria-invalid", None)
            self._input.update()


class SchemaForm:
    """Fields for the properties of a schema of an object.

    Args:
        schema: the object's.
        path: its name in the request, such as `task`; empty for the request itself.
        values: what the fields hold at first, as in a request.
        leave_out: properties that have no field here.
        on_change: is called when somebody has changed something.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        path: str = "",
        values: Mapping[str, Any] | None = None,
        only: tuple[str, ...] | None = None,
        leave_out: tuple[str, ...] = ("name",),
        on_change: Callable[[], None],
    ) -> None:
        self.fields: dict[str, Field] = {}
        self._path = path
        properties = schema.get("properties", {})
        with html.div().classes("form two"):
            for name in only or properties:
                one = properties.get(name)
                if one is None or name in leave_out or Kind.of(one) is None:
                    continue
                full = f"{path}.{name}" if path else name
                self.fields[name] = Field(full, one, (values or {}).get(name), on_change)

    def values(self) -> dict[str, Any]:
        """What was changed, by name.

        Raises:
            WrongInputError: a field holds no value; it says so itself.
        """
        found: dict[str, Any] = {}
        wrong: WrongInputError | None = None
        for name, one in self.fields.items():
            try:
                value = one.value()
            except WrongInputError as error:
                one.say(str(error))
                wrong = error
                continue
            if value is not None:
                found[name] = value
        if wrong is not None:
            raise wrong
        return found


def explained(text: str) -> str:
    """A description without the marks of code, in one line."""
    return re.sub(r"`([^`]*)`", r"\1", " ".join(text.split()))
