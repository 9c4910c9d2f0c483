"""Lists by keyset: stable while records come and go, and as quick on the last page as on the first.

The ids of a page are found in an index alone, and only these records are read then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased
from sqlalchemy.orm.interfaces import ORMOption

from records.ids import at_time, prefix_of
from records.models import Note

RecordT = TypeVar("RecordT")
Order = Literal["asc", "desc"]
_CLOCKS = timedelta(days=1)
"""How far the clock that ids are made by and that of the database are allowed to be apart."""


@dataclass(frozen=True)
class Narrow:
    """What every list can be narrowed by, and its order."""

    order: Order = "desc"
    """`desc`: the newest first."""
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Only records that have all of these among their metadata."""


EVERYTHING = Narrow()


def newest_first(
    session: Session, query: Select[RecordT], key: InstrumentedAttribute[str], limit: int, after: str | None
) -> tuple[list[RecordT], bool]:
    """One page of a query, and whether there is more. `after` is the id of the last record that was seen."""
    return _page(session, _cut(query, key, limit, after, "desc"), limit)


def page(
    session: Session,
    query: Select[RecordT],
    kind: Any,
    *,
    limit: int,
    after: str | None,
    narrow: Narrow = EVERYTHING,
    equal: Sequence[tuple[InstrumentedAttribute[Any], Any]] = (),
    options: Sequence[ORMOption] = (),
) -> tuple[list[RecordT], bool]:
    """One page of a query, and whether there is more.

    Args:
        session: a transaction.
        query: of records of one kind.
        kind: their class; with an `id`, a `created_at` and, for who asks for it, metadata.
        limit: records on a page.
        after: id of the last record that was seen.
        narrow: which of them, and in which order.
        equal: columns with the value that they have to have; None lets all through.
        options: how the records are loaded.
    """
    return _page(session, statement(query, kind, limit, after, narrow, equal).options(*options), limit)


def statement(
    query: Select[RecordT],
    kind: Any,
    limit: int,
    after: str | None,
    narrow: Narrow = EVERYTHING,
    equal: Sequence[tuple[InstrumentedAttribute[Any], Any]] = (),
) -> Select[RecordT]:
    """What is asked of the database for a page."""
    query = query.where(*(column == value for column, value in equal if value is not None))
    query = _in_time(query, kind, narrow)
    key: InstrumentedAttribute[str] = kind.id
    for number, (name, value) in enumerate(sorted(narrow.metadata.items())):
        note = aliased(Note)
        query = query.join(note, note.record_id == kind.id).where(
            note.kind == kind.__tablename__, note.key == name, note.value == value
        )
        key = key if number else note.record_id  # in whose index they lie in order
    ids = _cut(query.with_only_columns(key, maintain_column_froms=True), key, limit, after, narrow.order)
    found: Select[RecordT] = select(kind).where(kind.id.in_(ids))
    return found.order_by(kind.id.desc() if narrow.order == "desc" else kind.id)


def _in_time(query: Select[RecordT], kind: Any, narrow: Narrow) -> Select[RecordT]:
    """Narrowed by time. An id begins with a time too, which bounds how much of the index of ids has to be looked through."""
    if narrow.created_after is not None:
        query = query.where(kind.created_at > narrow.created_after)
        if (prefix := prefix_of(kind.__tablename__)) is not None:
            query = query.where(kind.id > at_time(prefix, narrow.created_after - _CLOCKS))
    if narrow.created_before is not None:
        query = query.where(kind.created_at < narrow.created_before)
        if (prefix := prefix_of(kind.__tablename__)) is not None:
            query = query.where(kind.id < at_time(prefix, narrow.created_before + _CLOCKS))
    return query


def _page(session: Session, query: Select[RecordT], limit: int) -> tuple[list[RecordT], bool]:
    found = list(session.scalars(query))
    return found[:limit], len(found) > limit


def _cut(query: Select[Any], key: InstrumentedAttribute[str], limit: int, after: str | None, order: Order) -> Select[Any]:
    if after is not None:
        query = query.where(key < after if order == "desc" else key > after)
    return query.order_by(key.desc() if order == "desc" else key).limit(limit + 1)
