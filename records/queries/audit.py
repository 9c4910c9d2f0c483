"""The audit log, as it is read."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.models import AuditEntry
from records.queries import pages


def page(
    session: Session, *, limit: int, after: str | None, action: str | None = None, key_id: str | None = None
) -> tuple[list[AuditEntry], bool]:
    """One page of entries, the newest first, and whether there is more."""
    query = select(AuditEntry)
    for column, value in ((AuditEntry.action, action), (AuditEntry.key_id, key_id)):
        if value is not None:
            query = query.where(column == value)
    return pages.newest_first(session, query, AuditEntry.id, limit, after)
