"""Metadata where an index finds them: what a record has in its own column, a table has an entry at a time.

A list that is narrowed by metadata is then a range of an index on both databases, however many records there are. The entries are
written by the transaction that writes the record.
"""

from typing import Any

from sqlalchemy import delete, event, insert, inspect
from sqlalchemy.orm import InstrumentedAttribute, Session, UOWTransaction, sessionmaker

from records.models import Base, Note, Project

_LONGEST_KEY, _LONGEST_VALUE = 40, 500
"""What the API takes. Older entries may be longer; nobody can ask for those."""


def notes_of(kind: Any) -> InstrumentedAttribute[dict[str, str]]:
    """Where a kind of record has its metadata; of an upload, `meta` is what the protocol calls so."""
    column: InstrumentedAttribute[dict[str, str]] = kind.notes if hasattr(kind, "notes") else kind.meta
    return column


def watch(sessions: sessionmaker[Session]) -> None:
    """Have the sessions of a maker keep the entries."""
    event.listen(sessions, "after_flush", _keep)


def _keep(session: Session, _context: UOWTransaction) -> None:
    added: list[dict[str, str]] = []
    gone = [record.id for record in session.deleted if _has_notes(record)]
    for record in (*session.new, *session.dirty):
        if not _has_notes(record):
            continue
        changed = inspect(record).attrs[notes_of(type(record)).key].history
        if not changed.has_changes():
            continue
        if any(changed.deleted or ()):
            gone.append(record.id)
        added += _entries(record)
    connection = session.connection()  # not the session, which would flush again
    if gone:
        connection.execute(delete(Note).where(Note.record_id.in_(gone)))
    if added:
        connection.execute(insert(Note), added)


def _has_notes(record: Any) -> bool:
    return isinstance(record, Base) and (hasattr(record, "notes") or hasattr(record, "meta"))


def _entries(record: Any) -> list[dict[str, str]]:
    project_id = record.id if isinstance(record, Project) else record.project_id
    return [
        {"record_id": record.id, "key": key, "kind": record.__tablename__, "value": value, "project_id": project_id}
        for key, value in (getattr(record, notes_of(type(record)).key) or {}).items()
        if len(key) <= _LONGEST_KEY and len(value) <= _LONGEST_VALUE
    ]
