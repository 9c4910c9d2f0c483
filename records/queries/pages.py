"""Lists by keyset: stable while records come and go, and as quick on the last page as on the first."""

from typing import TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

RecordT = TypeVar("RecordT")


def newest_first(
    session: Session, query: Select[RecordT], key: InstrumentedAttribute[str], limit: int, after: str | None
) -> tuple[list[RecordT], bool]:
    """One page of a query, and whether there is more. `after` is the id of the last record that was seen."""
    if after is not None:
        query = query.where(key < after)
    found = list(session.scalars(query.order_by(key.desc()).limit(limit + 1)))
    return found[:limit], len(found) > limit
