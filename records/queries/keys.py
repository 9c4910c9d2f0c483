"""Keys of the API."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from records.database import now
from records.errors import ConflictError, InvalidError, NotFoundError
from records.ids import new_id
from records.models import ApiKey, Member, Project
from records.models.base import UtcDateTime
from records.queries import members, pages, rows
from records.queries.pages import EVERYTHING, Narrow

SCOPES = ("read", "write", "admin")
"""Each may do what those before it may."""
_SHOWN = 14
_USED_EVERY = timedelta(seconds=60)


def make() -> str:
    """A new key: 256 random bits behind a prefix that tells secret scanners what it is."""
    return f"pretext_{secrets.token_urlsafe(32)}"


def register(session: Session, key: str, name: str) -> ApiKey:
    """Accept a key of an administrator from now on; nothing changes if it is accepted already."""
    found = session.scalar(select(ApiKey).where(ApiKey.hash == _digest(key), _valid(now(session))))
    if found is None:
        found = ApiKey(id=new_id("key"), name=name, hash=_digest(key), prefix=key[:_SHOWN], scope="admin", created_at=now(session))
        session.add(found)
    return found


def create(
    session: Session,
    name: str,
    scope: str,
    *,
    member_id: str | None = None,
    expires_at: datetime | None = None,
    metadata: dict[str, str] | None = None,
) -> tuple[ApiKey, str]:
    """Make a key. Its text is given once and is not kept.

    Raises:
        NotFoundError: there is no such member.
        InvalidError: it would be for more than the member's role, or has expired already.
    """
    if expires_at is not None and expires_at <= now(session):
        raise InvalidError("this moment has passed; give a later one, or none for a key that does not expire", param="expires_at")
    if member_id is not None:
        session.execute(select(Member.id).where(Member.id == member_id).with_for_update(read=True))  # nor is their role changed
        role = members.get(session, member_id, param="member_id").role
        if SCOPES.index(scope) > SCOPES.index(role):
            raise InvalidError(f"the member's role is {role}, so their keys cannot be for {scope}", param="scope")
    key = make()
    record = ApiKey(
        id=new_id("key"),
        name=name,
        hash=_digest(key),
        prefix=key[:_SHOWN],
        scope=scope,
        member_id=member_id,
        expires_at=expires_at,
        meta=metadata or {},
        created_at=now(session),
    )
    session.add(record)
    session.flush()
    return record, key


@dataclass(frozen=True)
class Holder:
    """Whom a valid key is of, and what for."""

    key_id: str
    project_id: str
    scope: str
    operator: bool
    """Whether the project administers the server."""
    due: bool
    """Whether it is time to note that the key was used."""


def holder(session: Session, key: str) -> Holder | None:
    """Whom a key is of; None unless it is valid. It is looked up by its hash, so that the time this takes tells nothing of the key.

    Every request waits for this, so it is one question, and on PostgreSQL the answer comes with the database's time.
    """
    asked = {"hash": _digest(key)}
    if session.get_bind().dialect.name == "postgresql":
        found = session.execute(_HOLDER, asked).one_or_none()
    else:
        found = session.execute(_HOLDER_NOW, asked | {"moment": now(session)}).one_or_none()
    if found is None:
        return None
    due = found.last_used_at is None or found.moment - found.last_used_at > _USED_EVERY
    return Holder(key_id=found.id, project_id=found.project_id, scope=found.scope, operator=found.operator, due=due)


def get(session: Session, key_id: str) -> ApiKey:
    """Find a key.

    Raises:
        NotFoundError: there is none with this id.
    """
    found = session.get(ApiKey, key_id)
    if found is None:
        raise NotFoundError.of("key", key_id)
    return found


def locked(session: Session, key_id: str) -> ApiKey:
    """Find a key for a change; nobody else changes it before the transaction ends.

    Raises:
        NotFoundError: there is none with this id.
    """
    return rows.locked(session, ApiKey, key_id, "key")


def beyond(session: Session, member_id: str, role: str) -> list[str]:
    """Ids of a member's valid keys that are for more than a role."""
    wider = SCOPES[SCOPES.index(role) + 1 :]
    found = select(ApiKey.id).where(ApiKey.member_id == member_id, ApiKey.scope.in_(wider), _valid(now(session)))
    return list(session.scalars(found.order_by(ApiKey.id)))


def page(
    session: Session,
    *,
    limit: int,
    after: str | None,
    name: str | None = None,
    scope: str | None = None,
    member_id: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[ApiKey], bool]:
    """One page of keys, and whether there is more."""
    equal = [(ApiKey.name, name), (ApiKey.scope, scope), (ApiKey.member_id, member_id)]
    return pages.page(session, select(ApiKey), ApiKey, limit=limit, after=after, narrow=narrow, equal=equal)


def used(session: Session, key_id: str) -> None:
    """Note that a key was used."""
    session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now(session)))


def revoke(session: Session, key_id: str) -> ApiKey:
    """Accept a key no longer. To revoke twice is to revoke once.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: nobody could administer the project any more.
    """
    found = get(session, key_id)
    moment = now(session)
    others = select(ApiKey.id).where(
        ApiKey.id != key_id, ApiKey.project_id == found.project_id, ApiKey.scope == "admin", _valid(moment)
    )
    if found.scope == "admin" and session.scalar(others.limit(1)) is None:
        raise ConflictError("this is the project's last valid key for administration; make another first")
    found.revoked_at = found.revoked_at or moment
    return found


def _valid(moment: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    return ApiKey.revoked_at.is_(None) & or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > moment)


def _holder(moment: ColumnElement[datetime]) -> Select[*tuple[Any, ...]]:
    columns = (ApiKey.id, ApiKey.project_id, ApiKey.scope, ApiKey.last_used_at, Project.operator, moment.label("moment"))
    of_a_project = select(*columns).join(Project, Project.id == ApiKey.project_id)
    return of_a_project.where(ApiKey.hash == bindparam("hash"), _valid(moment))


_HOLDER = _holder(func.clock_timestamp(type_=UtcDateTime))
_HOLDER_NOW = _holder(bindparam("moment", type_=UtcDateTime))


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()
