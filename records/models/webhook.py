"""Webhooks, and what was sent to them."""

from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Owned

_DUE = text("next_at IS NOT NULL")


class Webhook(Owned, Base):
    """An address that is told what happens in a project. Its secret is not here: `records.signing` makes it of the server's key."""

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_project_id_id", "project_id", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    url: Mapped[str] = mapped_column(String(2048))
    events: Mapped[list[str]]
    """Types of events, such as `job.succeeded`, or patterns of them: `job.*`, `*`."""
    description: Mapped[str] = mapped_column(String(500), default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    key_print: Mapped[str] = mapped_column(String(16))
    """Tells which server's key its secrets are made of."""
    secret_number: Mapped[int] = mapped_column(default=1)
    """Raised by every rotation."""
    old_secret_until: Mapped[datetime | None]
    """How long the secret before this one signs, too."""
    failing_since: Mapped[datetime | None]
    """When the first attempt failed since the last one that did not."""
    delivered_at: Mapped[datetime | None]
    """When its receiver last took something."""
    disabled_at: Mapped[datetime | None]
    disabled_because: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
    meta: Mapped[dict[str, str]] = mapped_column("metadata", default=dict)


class WebhookDelivery(Base):
    """An event on its way to a webhook. Written with the change that it tells of; sent afterwards by a worker."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_webhook_deliveries_due", "webhook_id", "next_at", sqlite_where=_DUE, postgresql_where=_DUE),
        Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(String(40))
    """`webhook-id`: the same for all attempts, all webhooks, and when it is sent again."""
    type: Mapped[str] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(Text)
    """The body, to the byte."""
    state: Mapped[str] = mapped_column(String(16))
    """`pending`, `sending`, `delivered` or `failed`."""
    attempt: Mapped[int] = mapped_column(default=0)
    """Raised by every claim. What came of an attempt is noted only as long as no other has begun."""
    tries: Mapped[int] = mapped_column(default=0)
    """Attempts since it was last sent by hand: how far down the schedule of repetitions it is."""
    next_at: Mapped[datetime | None]
    """When it is due; while it is being sent, when its sender is taken for dead. None: it has ended."""
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class WebhookAttempt(Base):
    """One request to a receiver, and what came of it."""

    __tablename__ = "webhook_attempts"

    delivery_id: Mapped[str] = mapped_column(ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    seconds: Mapped[float] = mapped_column(Double)
    status: Mapped[int | None]
    """HTTP status; none if there was no answer."""
    error: Mapped[str | None] = mapped_column(String(500))
    """Why it counts as failed."""
    answer: Mapped[str | None] = mapped_column(String(1024))
    """Beginning of the answer's body."""
