"""The audit log: who did what over HTTP."""

from sqlalchemy.orm import Session

from records import tenancy
from records.database import now
from records.ids import new_id
from records.models import AuditEntry

_MOST_SUBJECTS = 20


def record(session: Session) -> None:
    """Note what the transaction of a request did, in the same transaction, if it did anything."""
    session.flush()
    actor = tenancy.acting()
    if actor is not None and session.info.get(tenancy.TOUCHED):
        add(session, actor, "done")


def add(session: Session, actor: tenancy.Actor, outcome: str) -> None:
    """Note that somebody did something, or was `denied` it."""
    made = session.info.get(tenancy.MADE, [])
    entry = AuditEntry(
        id=new_id("audit"),
        at=now(session),
        key_id=actor.key_id,
        action=actor.action,
        outcome=outcome,
        subjects=[*actor.subjects, *made][:_MOST_SUBJECTS],
        request_id=actor.request_id,
        address=actor.address,
        project_id=actor.project_id,
    )
    session.add(entry)
    session.flush()


def add_own(session: Session, project_id: str, action: str, subject: str) -> None:
    """Note that the server did something by itself, in the transaction in which it did."""
    entry = AuditEntry(
        id=new_id("audit"), at=now(session), action=action, outcome="done", subjects=[subject], project_id=project_id
    )
    session.add(entry)
