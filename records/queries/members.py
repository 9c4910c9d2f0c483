"""Members of projects."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from records.database import now
from records.errors import NotFoundError
from records.ids import new_id
from records.models import ApiKey, Member
from records.queries import pages, rows
from records.queries.pages import EVERYTHING, Narrow


def create(session: Session, name: str, role: str, email: str | None = None, metadata: dict[str, str] | None = None) -> Member:
    """Take in a member."""
    member = Member(id=new_id("member"), name=name, role=role, email=email, meta=metadata or {}, created_at=now(session))
    session.add(member)
    session.flush()
    return member


def get(session: Session, member_id: str, *, param: str | None = None) -> Member:
    """Find a member.

    Raises:
        NotFoundError: there is none with this id.
    """
    member = session.get(Member, member_id)
    if member is None:
        raise NotFoundError.of("member", member_id, param)
    return member


def locked(session: Session, member_id: str) -> Member:
    """Find a member for a change; nobody else changes them before the transaction ends.

    Raises:
        NotFoundError: there is none with this id.
    """
    return rows.locked(session, Member, member_id, "member")


def page(
    session: Session,
    *,
    limit: int,
    after: str | None,
    name: str | None = None,
    role: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[Member], bool]:
    """One page of members, and whether there is more."""
    equal = [(Member.name, name), (Member.role, role)]
    return pages.page(session, select(Member), Member, limit=limit, after=after, narrow=narrow, equal=equal)


def remove(session: Session, member_id: str) -> None:
    """Let a member go. Their keys are accepted no longer, and stay in the list of keys without them.

    Raises:
        NotFoundError: there is none with this id.
    """
    member = get(session, member_id)
    moment = now(session)
    keys = update(ApiKey).where(ApiKey.member_id == member.id)
    session.execute(keys.where(ApiKey.revoked_at.is_(None)).values(revoked_at=moment))
    session.execute(keys.values(member_id=None))
    session.flush()
    session.delete(member)
