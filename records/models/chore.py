"""Chores."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base


class Chore(Base):
    """Something that one of all workers has to do now and then. Whoever does it holds a lease, so that no two do."""

    __tablename__ = "chores"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str | None] = mapped_column(String(40))
    """The worker that does it."""
    lease_until: Mapped[datetime | None]
    due_at: Mapped[datetime]
    """When it is to be done next."""
