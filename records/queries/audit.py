"""The audit log, as it is read."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.models import AuditEntry
from records.queries import pages
from records.queries.pages import EVERYTHING, Narrow


def page(
    session: Session,
    *,
    limit: int,
    after: str | None,
    action: str | None = None,
    key_id: str | None = None,
    outcome: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[AuditEntry], bool]:
    """One page of entries, and whether there is more."""
    equal = [(AuditEntry.action, action), (AuditEntry.key_id, key_id), (AuditEntry.outcome, outcome)]
    return pages.page(session, select(AuditEntry), AuditEntry, limit=limit, after=after, narrow=narrow, equal=equal)
