"""Chores: what one of all workers has to do now and then."""

from datetime import timedelta

from sqlalchemy import insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from records.database import now
from records.models import Chore

_UNSYNCED = {"synchronize_session": False}


def take(session: Session, name: str, holder: str, *, lease: timedelta) -> bool:
    """Take a chore, if it is due and nobody is at it. Whoever does not say within the lease that it is done is taken for dead."""
    moment = now(session)
    if session.scalar(select(Chore.name).where(Chore.name == name)) is None:
        try:
            with session.begin_nested():
                session.execute(insert(Chore).values(name=name, due_at=moment))
        except IntegrityError:  # somebody else has noted it in the same moment
            pass
    free = or_(Chore.lease_until.is_(None), Chore.lease_until <= moment)
    taken = session.execute(
        update(Chore)
        .where(Chore.name == name, Chore.due_at <= moment, free)
        .values(holder=holder, lease_until=moment + lease)
        .returning(Chore.name),
        execution_options=_UNSYNCED,
    ).first()
    return taken is not None


def done(session: Session, name: str, holder: str, *, again: timedelta) -> None:
    """Note that a chore is done, and when it is due again. Nothing happens if somebody else has it by now."""
    session.execute(
        update(Chore)
        .where(Chore.name == name, Chore.holder == holder)
        .values(holder=None, lease_until=None, due_at=now(session) + again),
        execution_options=_UNSYNCED,
    )
