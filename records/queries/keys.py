"""Keys of the API."""

import secrets
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.database import now
from records.ids import new_id
from records.models import ApiKey


def make() -> str:
    """A new key: 256 random bits behind a prefix that tells secret scanners what it is."""
    return f"pretext_{secrets.token_urlsafe(32)}"


def register(session: Session, key: str, name: str) -> ApiKey:
    """Accept a key from now on; nothing changes if it is accepted already."""
    found = find(session, key)
    if found is None:
        found = ApiKey(id=new_id("key"), name=name, hash=_digest(key), created_at=now(session))
        session.add(found)
    return found


def find(session: Session, key: str) -> ApiKey | None:
    """The record of a valid key. It is looked up by its hash, so that the time this takes tells nothing of the key."""
    return session.scalar(select(ApiKey).where(ApiKey.hash == _digest(key), ApiKey.revoked_at.is_(None)))


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()
