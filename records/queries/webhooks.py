"""Webhooks."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from records import outbox
from records.database import now
from records.errors import ConflictError, NotFoundError
from records.ids import new_id
from records.models import Webhook, WebhookDelivery
from records.queries import pages, rows
from records.queries.pages import EVERYTHING, Narrow

MOST = 50
"""Webhooks that a project may have."""


def create(
    session: Session, *, url: str, events: Sequence[str], description: str, metadata: dict[str, str], key_print: str
) -> Webhook:
    """Make a webhook, enabled.

    Raises:
        ConflictError: the project has as many as it may.
    """
    if (session.scalar(select(func.count(Webhook.id))) or 0) >= MOST:
        raise ConflictError(f"a project may have {MOST} webhooks, and this one has them; delete one that is not needed any more")
    webhook = Webhook(
        id=new_id("hook"),
        url=url,
        events=list(events),
        description=description,
        enabled=True,
        key_print=key_print,
        secret_number=1,
        created_at=now(session),
        meta=metadata,
    )
    session.add(webhook)
    session.flush()
    return webhook


def get(session: Session, webhook_id: str) -> Webhook:
    """Find a webhook.

    Raises:
        NotFoundError: there is none with this id.
    """
    webhook = session.get(Webhook, webhook_id)
    if webhook is None:
        raise NotFoundError.of("webhook", webhook_id)
    return webhook


def locked(session: Session, webhook_id: str) -> Webhook:
    """Find a webhook for a change; nobody else changes it before the transaction ends.

    Raises:
        NotFoundError: there is none with this id.
    """
    return rows.locked(session, Webhook, webhook_id, "webhook")


def page(session: Session, *, limit: int, after: str | None, narrow: Narrow = EVERYTHING) -> tuple[list[Webhook], bool]:
    """One page of webhooks, and whether there is more."""
    return pages.page(session, select(Webhook), Webhook, limit=limit, after=after, narrow=narrow)


def enable(session: Session, webhook: Webhook) -> None:
    """Send to a webhook again, with a clean slate; what waited for it is due."""
    webhook.enabled = True
    webhook.disabled_at = webhook.disabled_because = webhook.failing_since = None
    session.flush()


def disable(session: Session, webhook: Webhook, because: str) -> None:
    """Send nothing more to a webhook, and note nothing more for it. What waits for it is kept."""
    webhook.enabled = False
    webhook.disabled_at = now(session)
    webhook.disabled_because = because
    session.flush()


def rotate(session: Session, webhook: Webhook, key_print: str, keep: timedelta) -> None:
    """Give a webhook a new secret. The one before it signs, too, for a while; older ones do not.

    After the server's key was changed, the old secret cannot be made any more, and the new one signs alone.
    """
    same_key = webhook.key_print == key_print
    webhook.secret_number += 1
    webhook.key_print = key_print
    webhook.old_secret_until = now(session) + keep if keep and same_key else None
    session.flush()


def delete(session: Session, webhook_id: str) -> None:
    """Delete a webhook, and all that was or would have been sent to it.

    Raises:
        NotFoundError: there is none with this id.
    """
    session.delete(get(session, webhook_id))


def test(session: Session, webhook: Webhook) -> WebhookDelivery:
    """Put an event on its way that tells nothing.

    Raises:
        ConflictError: the webhook is disabled.
    """
    check_enabled(webhook)
    data = {"object": "webhook", "id": webhook.id}
    (delivery_id,) = outbox.put(session, [webhook], outbox.TEST, data, now(session))
    return session.get_one(WebhookDelivery, delivery_id)


def check_enabled(webhook: Webhook) -> None:
    """See whether anything would be sent.

    Raises:
        ConflictError: the webhook is disabled.
    """
    if not webhook.enabled:
        raise ConflictError(f"the webhook is disabled ({webhook.disabled_because}); enable it first: PATCH it with `enabled` true")
