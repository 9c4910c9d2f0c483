"""Keys of the API."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json, Owned


class ApiKey(Owned, Base):
    """A key, as its SHA-256: it is random and long, so no slow hash is needed, and it cannot be read back."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("ix_api_keys_project_id_id", "project_id", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    prefix: Mapped[str] = mapped_column(String(20), default="")
    """Its first characters, to tell keys apart by."""
    scope: Mapped[str] = mapped_column(String(8), default="admin")
    """`read`, `write` or `admin`; each may do what those before it may."""
    member_id: Mapped[str | None] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"))
    """Whose it is, if it is a member's."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """Within a minute or so."""
    revoked_at: Mapped[datetime | None]
    meta: Mapped[dict[str, str]] = mapped_column("metadata", Json, default=dict)
