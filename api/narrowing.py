"""What lists can be narrowed by. Unknown parameters are refused: a mistyped filter must not list everything."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BeforeValidator

from api import metadata
from records.errors import InvalidError
from records.queries.pages import Narrow, Order

_NUMBER = re.compile(r"[+-]?[\d.]+(e[+-]?\d+)?", re.IGNORECASE)


def _no_number(text: object) -> object:
    """A number alone would be taken for seconds since 1970, which nobody means who writes `2026`."""
    if isinstance(text, str) and _NUMBER.fullmatch(text.strip()):
        raise ValueError("write the moment as 2026-11-02T10:00:00Z, or the day as 2026-11-02")
    return text


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


OrderBy = Annotated[Order, Query(description="`desc`: the newest first; `asc`: the oldest first.")]
CreatedAfter = Annotated[
    datetime | None,
    BeforeValidator(_no_number),
    AfterValidator(_in_utc),
    Query(description="Only those made after this moment, as `2026-11-02T10:00:00Z` or `2026-11-02`; in UTC if it does not say."),
]
CreatedBefore = Annotated[
    datetime | None,
    BeforeValidator(_no_number),
    AfterValidator(_in_utc),
    Query(description="Only those made before this moment."),
]
Id = Annotated[str | None, Query(max_length=100)]
Name = Annotated[str | None, Query(max_length=500, description="Only those of exactly this name.")]
ModelRef = Annotated[str | None, Query(max_length=100, description="Only those of this model: its id or an alias.")]

METADATA: dict[str, Any] = {
    "parameters": [
        {
            "name": "metadata",
            "in": "query",
            "required": False,
            "style": "deepObject",
            "explode": True,
            "schema": {"type": "object", "additionalProperties": {"type": "string"}},
            "description": "Only those with all of these notes: `metadata[place]=Oslo`.",
        }
    ]
}
"""For `openapi_extra` of a list that is narrowed by metadata: FastAPI has no name for this style of parameter."""


async def in_time(order: OrderBy = "desc", created_after: CreatedAfter = None, created_before: CreatedBefore = None) -> Narrow:
    """What narrows a list of records that have no metadata."""
    return Narrow(order=order, created_after=created_after, created_before=created_before)


async def by_notes(
    request: Request, order: OrderBy = "desc", created_after: CreatedAfter = None, created_before: CreatedBefore = None
) -> Narrow:
    """What narrows a list of records that have metadata."""
    return Narrow(order=order, created_after=created_after, created_before=created_before, metadata=metadata.wanted(request))


TimeDep = Annotated[Narrow, Depends(in_time)]
NarrowDep = Annotated[Narrow, Depends(by_notes)]


async def refuse_unknown(request: Request) -> None:
    """Refuse query parameters that the address does not take, or takes once and got twice.

    Raises:
        InvalidError: there is one.
    """
    route = request.scope["route"]
    if not request.query_params or not isinstance(route, APIRoute):
        return
    taken = {field.alias: field.field_info.annotation for one in _all(route.dependant) for field in one.query_params}
    by_notes_ = any(one.call is by_notes for one in _all(route.dependant))
    for name in request.query_params:
        if metadata.is_filter(name) and by_notes_:
            continue
        if name not in taken:
            raise InvalidError(_told(name, [*taken, *(["metadata[key]"] if by_notes_ else [])]), param=name[:100])
        if len(request.query_params.getlist(name)) > 1 and not str(taken[name]).startswith("list"):
            raise InvalidError(f"{name} is given twice, and counts once; give it once", param=name)


def _all(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _all(inner)


def _told(name: str, taken: list[str]) -> str:
    near = get_close_matches(name, taken, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    there_are = f" This address takes {', '.join(sorted(taken))}." if taken else " This address takes none."
    return f"there is no query parameter {name!r:.60}{hint}{'' if hint else '.'}{there_are}"
