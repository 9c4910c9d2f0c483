"""JSON Schema in words: types, bounds and defaults of fields, as rows of a table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_DEEPEST = 3
_LONGEST_CHOICE = 12
_NONE = {"type": "null"}
_FORMATS = {"date-time": "time, as RFC 3339 has it", "binary": "bytes of a file", "uuid": "UUID"}


@dataclass(frozen=True)
class Field:
    """A field of an object, or of an object in it."""

    name: str
    """With dots between its levels, and `[]` behind a list."""
    type: str
    default: str
    """As JSON; empty if there is none."""
    required: bool
    text: str


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell(text) for text in line) + " |" for line in lines) + "\n"


def cell(text: str) -> str:
    """A text that can stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")


class Schemas:
    """A document's schemas, by which references in it are looked up.

    Args:
        known: schemas by name: `components.schemas` of an OpenAPI document, or `$defs` of a schema.
    """

    def __init__(self, known: Mapping[str, Schema]) -> None:
        self._known = known

    def looked_up(self, schema: Schema) -> Schema:
        """The schema that a reference means; whatever is no reference is returned as it is."""
        while "$ref" in schema:
            schema = self._known[schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def branches(self, schema: Schema) -> list[Schema]:
        """What a value may be, each looked up, without null."""
        schema = self.looked_up(schema)
        found = schema.get("anyOf") or schema.get("oneOf") or [schema]
        return [self.looked_up(one) for one in found if one != _NONE]

    def type_of(self, schema: Schema) -> str:
        """A value's type in words, with its bounds."""
        schema = self.looked_up(schema)
        if "const" in schema:
            return f"`{json.dumps(schema['const'])}`"
        if "enum" in schema:
            return " or ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
        for together in ("anyOf", "oneOf"):
            if together in schema:
                return " or ".join(dict.fromkeys(self.type_of(one) for one in schema[together]))
        kind = schema.get("type", "any")
        if kind == "array":
            return f"list of {self.type_of(schema['items'])}" if schema.get("items") else "list"
        if kind == "object":
            values = schema.get("additionalProperties")
            named = f"object of {self.type_of(values)}" if isinstance(values, Mapping) and values else "object"
            return named if "properties" not in schema else str(schema.get("title", "object"))
        return f"{_FORMATS.get(schema.get('format', ''), kind)}{_bounds(schema)}"

    def fields(self, schema: Schema, *, before: str = "", depth: int = 0) -> Iterator[Field]:
        """The fields of an object, those of objects in it behind it. Of objects that may be of several kinds, the kind alone."""
        schema = self.looked_up(schema)
        for name, inner in schema.get("properties", {}).items():
            told = inner | {"description": inner.get("description") or self.looked_up(inner).get("description", "")}
            default = "" if "default" not in inner or inner["default"] is None else f"`{json.dumps(inner['default'])}`"
            yield Field(before + name, self.type_of(inner), default, name in schema.get("required", ()), told["description"])
            nested, mark = self._nested(inner)
            if nested is not None and depth < _DEEPEST:
                yield from self.fields(nested, before=f"{before}{name}{mark}.", depth=depth + 1)

    def _nested(self, schema: Schema) -> tuple[Schema | None, str]:
        """The object that a field holds, or holds a list of, if there is exactly one kind; and how a name goes on."""
        branches = self.branches(schema)
        if len(branches) == 1 and branches[0].get("type") == "array" and branches[0].get("items"):
            of = self.branches(branches[0]["items"])
            return (of[0] if len(of) == 1 and "properties" in of[0] else None), "[]"
        objects = [one for one in branches if "properties" in one]
        return (objects[0] if len(objects) == 1 else None), ""


def _bounds(schema: Schema) -> str:
    words = {"exclusiveMinimum": "above", "minimum": "from", "maximum": "to", "exclusiveMaximum": "below"}
    told = [f"{word} {_number(schema[key])}" for key, word in words.items() if key in schema]
    if "maxLength" in schema:
        told.append(f"at most {schema['maxLength']} characters")
    return f", {' '.join(told)}" if told else ""


def _number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"
