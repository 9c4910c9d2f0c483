"""Lists by keyset: stable while records come and go, and as quick on the last page as on the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, Select, and_, exists, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.orm.interfaces import ORMOption

RecordT = TypeVar("RecordT")
Order = Literal["asc", "desc"]


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
    return _page(session, query, key, limit, after, "desc")


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
    query = query.where(*(column == value for column, value in equal if value is not None))
    bounds = []
    if narrow.created_after is not None:
        bounds.append(kind.created_at > narrow.created_after)
    if narrow.created_before is not None:
        bounds.append(kind.created_at < narrow.created_before)
    if narrow.metadata:
        bounds.append(_has(session, notes_of(kind), narrow.metadata))
    if bounds:
        # Much may have to be looked through or sorted for these: ids alone, which indexes have, and whole records for one page.
        ids = _cut(query.where(*bounds).with_only_columns(kind.id), kind.id, limit, after, narrow.order)
        query, after = select(kind).where(kind.id.in_(ids)), None
    return _page(session, query.options(*options), kind.id, limit, after, narrow.order)


def notes_of(kind: Any) -> InstrumentedAttribute[dict[str, str]]:
    """Where a kind of record has its metadata; of an upload, `meta` is what the protocol calls so."""
    column: InstrumentedAttribute[dict[str, str]] = kind.notes if hasattr(kind, "notes") else kind.meta
    return column


def _page(
    session: Session, query: Select[RecordT], key: InstrumentedAttribute[str], limit: int, after: str | None, order: Order
) -> tuple[list[RecordT], bool]:
    found = list(session.scalars(_cut(query, key, limit, after, order)))
    return found[:limit], len(found) > limit


def _cut(query: Select[Any], key: InstrumentedAttribute[str], limit: int, after: str | None, order: Order) -> Select[Any]:
    if after is not None:
        query = query.where(key < after if order == "desc" else key > after)
    return query.order_by(key.desc() if order == "desc" else key).limit(limit + 1)


def _has(session: Session, column: InstrumentedAttribute[dict[str, str]], wanted: Mapping[str, str]) -> ColumnElement[bool]:
    if session.get_bind().dialect.name == "postgresql":
        return type_coerce(column, JSONB).contains(dict(wanted))  # which its index answers
    entries = func.json_each(column).table_valued("key", "value")
    # Not `json_extract`: its paths cannot name every key.
    return and_(
        *(
            exists(select(1).select_from(entries).where(entries.c.key == key, entries.c.value == value))
            for key, value in wanted.items()
        )
    )
