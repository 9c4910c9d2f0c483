"""Users' own notes on a resource: texts by key, within Stripe's limits."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Request
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from records.errors import InvalidError

MOST_KEYS = 50
LONGEST_KEY = 40
LONGEST_VALUE = 500
_FILTER = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_NO_OBJECT = '`metadata` must be a JSON object of texts, such as {"place": "Oslo"}'


def trouble_with(metadata: Mapping[str, str | None]) -> str | None:
    """What is wrong with keys and values; None if nothing is."""
    if len(metadata) > MOST_KEYS:
        return f"metadata takes at most {MOST_KEYS} keys, and these are {len(metadata)}"
    for key, value in metadata.items():
        if not key or len(key) > LONGEST_KEY:
            return f"metadata takes keys of 1 to {LONGEST_KEY} characters, and {key!r:.60} has {len(key)}"
        if "[" in key or "]" in key:
            return f"metadata takes keys without square brackets, and {key!r} has one: lists are narrowed by metadata[key]=value"
        if value is not None and len(value) > LONGEST_VALUE:
            return f"metadata takes values of up to {LONGEST_VALUE} characters, and that of {key!r} has {len(value)}"
    return None


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    trouble = trouble_with(metadata)
    if trouble is not None:
        raise ValueError(trouble)
    return metadata


_LIMITS = f"up to {MOST_KEYS} keys of up to {LONGEST_KEY} characters, with a text of up to {LONGEST_VALUE} each"
MetadataIn = Annotated[dict[str, str], AfterValidator(_small), Field(description=f"Your own notes, {_LIMITS}.")]
MetadataChange = Annotated[
    dict[str, str | None] | None,
    AfterValidator(lambda given: given if given is None else _small(given)),
    Field(description=f"Notes to add or to replace, {_LIMITS}; a key with null is deleted, and other keys stay. Null deletes all."),
]


def parsed(text: str | None) -> dict[str, str]:
    """The metadata in a field of a form.

    Raises:
        InvalidError: they are no JSON object of texts, or too many or too long.
    """
    if not text:
        return {}
    try:
        return TypeAdapter(MetadataIn).validate_json(text)
    except ValidationError as error:
        found = error.errors()[0]
        told = str(found["msg"]).removeprefix("Value error, ") if found["type"] == "value_error" else _NO_OBJECT
        raise InvalidError(told, param="metadata") from error


def changed(metadata: Mapping[str, str], change: Mapping[str, str | None] | None) -> dict[str, str]:
    """What metadata are after a change.

    Raises:
        InvalidError: they would be too many.
    """
    if change is None:
        return {}
    new = {key: value for key, value in {**metadata, **change}.items() if value is not None}
    if len(new) > MOST_KEYS:
        raise InvalidError(
            f"metadata takes at most {MOST_KEYS} keys, and there would be {len(new)}; delete some by giving them null",
            param="metadata",
        )
    return new


def wanted(request: Request) -> dict[str, str]:
    """What a list is narrowed to by `metadata[key]=value`; several all have to be there."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        match = _FILTER.fullmatch(name)
        if match is None:
            continue
        trouble = trouble_with({match[1]: value}) or (f"{name} is given twice" if match[1] in found else None)
        if trouble is not None:
            raise InvalidError(trouble, param=name[:100])
        found[match[1]] = value
    return found


def is_filter(name: str) -> bool:
    """Whether the name of a query parameter is of the form `metadata[key]`."""
    return _FILTER.fullmatch(name) is not None
