"""Single records."""

from typing import Any, TypeVar

from sqlalchemy.orm import Session

from records.errors import NotFoundError

RecordT = TypeVar("RecordT", bound=Any)


def locked(session: Session, kind: type[RecordT], id_: str, what: str, *, param: str | None = None) -> RecordT:
    """Find a record for a change, as it is now; nobody else changes it before the transaction ends.

    Args:
        session: a transaction that writes.
        kind: the record's class.
        id_: its id.
        what: what people call it.
        param: the parameter that had the id.

    Raises:
        NotFoundError: there is none with this id.
    """
    record = session.get(kind, id_, with_for_update=True, populate_existing=True)
    if record is None:
        raise NotFoundError.of(what, id_, param)
    return record
