"""What is on its way to webhooks: claimed by a sender for a while, sent, and noted.

A claim is a lease, as that of a job: a sender that is killed leaves a delivery that is due again when the lease is over, and
what it sent is sent once more, under the same id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from records import audit
from records.database import now
from records.errors import ConflictError, NotFoundError
from records.models import Webhook, WebhookAttempt, WebhookDelivery
from records.queries import pages, webhooks
from records.queries.pages import EVERYTHING, Narrow

_UNSYNCED = {"synchronize_session": False}
FAILING = timedelta(days=5)
"""How long nothing but failures may come of a webhook until it is disabled."""
_PRUNED_AT_ONCE = 1000


@dataclass(frozen=True)
class Sending:
    """A delivery that a sender has claimed."""

    delivery_id: str
    attempt: int
    tries: int
    """Attempts in this round, with this one."""
    webhook_id: str
    url: str
    event_id: str
    payload: str
    secrets: list[int]
    """Numbers of the secrets that sign."""


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt."""

    at: datetime
    seconds: float
    status: int | None
    error: str | None
    answer: str | None
    gone: bool = False
    """The receiver wants nothing more, ever."""
    again: timedelta | None = None
    """After how long to try again, if it failed; none: never."""


def get(session: Session, webhook_id: str, delivery_id: str) -> WebhookDelivery:
    """Find a delivery of a webhook.

    Raises:
        NotFoundError: there is no such webhook, or none with this id.
    """
    webhook = webhooks.get(session, webhook_id)
    delivery = session.get(WebhookDelivery, delivery_id)
    if delivery is None or delivery.webhook_id != webhook.id:
        raise NotFoundError.of("delivery", delivery_id)
    return delivery


def page(
    session: Session,
    webhook_id: str,
    *,
    limit: int,
    after: str | None,
    state: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[WebhookDelivery], bool]:
    """One page of a webhook's deliveries, and whether there is more.

    Raises:
        NotFoundError: there is no such webhook.
    """
    equal = [(WebhookDelivery.webhook_id, webhooks.get(session, webhook_id).id), (WebhookDelivery.state, state)]
    return pages.page(session, select(WebhookDelivery), WebhookDelivery, limit=limit, after=after, narrow=narrow, equal=equal)


def attempts(session: Session, delivery_id: str) -> list[WebhookAttempt]:
    """What came of each attempt, the first one first."""
    query = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery_id).order_by(WebhookAttempt.number)
    return list(session.scalars(query))


def resend(session: Session, webhook_id: str, delivery_id: str) -> WebhookDelivery:
    """Send something once more, now, with all repetitions if it fails again.

    Raises:
        NotFoundError: there is no such thing.
        ConflictError: it is just being sent, or the webhook is disabled.
    """
    delivery = get(session, webhook_id, delivery_id)
    webhooks.check_enabled(webhooks.get(session, webhook_id))
    moment = now(session)
    idle = or_(WebhookDelivery.state != "sending", WebhookDelivery.next_at < moment)
    put = update(WebhookDelivery).where(WebhookDelivery.id == delivery.id, idle)
    changed = session.execute(
        put.values(state="pending", tries=0, next_at=moment, finished_at=None).returning(WebhookDelivery.id),
        execution_options=_UNSYNCED,
    ).first()
    if changed is None:
        raise ConflictError("it is just being sent; look at what comes of it first")
    session.refresh(delivery)
    return delivery


def is_due(session: Session, key_print: str) -> bool:
    """Whether there is anything to send that a sender with this key can sign."""
    query = select(Webhook.id).where(Webhook.enabled, Webhook.key_print == key_print, exists().where(_due(now(session)))).limit(1)
    return session.scalar(query) is not None


def unsigned(session: Session, key_print: str) -> list[str]:
    """Ids of webhooks for which something is due that a sender with this key cannot sign."""
    query = select(Webhook.id).where(Webhook.enabled, Webhook.key_print != key_print, exists().where(_due(now(session)))).limit(3)
    return list(session.scalars(query))


def claim(session: Session, *, key_print: str, busy: Mapping[str, int], free: int, most: int, seconds: float) -> list[Sending]:
    """Take what is due, for a while: of each webhook what was due first, and of each so few that a slow one holds up no other.

    Args:
        session: the transaction.
        key_print: of the key that signs.
        busy: how many requests this sender has under way, by webhook.
        free: how many more it can have.
        most: how many at a time one webhook may have; one that fails has one.
        seconds: how long the sender may take.
    """
    moment = now(session)
    waiting = select(Webhook).where(Webhook.enabled, Webhook.key_print == key_print, exists().where(_due(moment)))
    taken: list[Sending] = []
    for webhook in sorted(session.scalars(waiting), key=lambda one: busy.get(one.id, 0)):
        room = min((most if webhook.failing_since is None else 1) - busy.get(webhook.id, 0), free - len(taken))
        if room > 0:
            taken += _claim_of(session, webhook, moment, room, moment + timedelta(seconds=seconds))
    return taken


def _due(moment: datetime) -> ColumnElement[bool]:
    # That there is a moment at all is said for the index, which has no others.
    return and_(WebhookDelivery.webhook_id == Webhook.id, WebhookDelivery.next_at.is_not(None), WebhookDelivery.next_at <= moment)


def _claim_of(session: Session, webhook: Webhook, moment: datetime, room: int, until: datetime) -> list[Sending]:
    first = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.next_at.is_not(None), WebhookDelivery.next_at <= moment)
        .order_by(WebhookDelivery.next_at)
        .limit(room)
        .with_for_update(skip_locked=True)
    )
    found = session.scalars(
        update(WebhookDelivery)
        .where(WebhookDelivery.id.in_(list(session.scalars(first))))
        .values(state="sending", attempt=WebhookDelivery.attempt + 1, tries=WebhookDelivery.tries + 1, next_at=until)
        .returning(WebhookDelivery),
        execution_options={**_UNSYNCED, "populate_existing": True},
    )
    number = webhook.secret_number
    both = webhook.old_secret_until is not None and webhook.old_secret_until > moment
    return [
        Sending(
            delivery_id=delivery.id,
            attempt=delivery.attempt,
            tries=delivery.tries,
            webhook_id=webhook.id,
            url=webhook.url,
            event_id=delivery.event_id,
            payload=delivery.payload,
            secrets=[number, number - 1] if both else [number],
        )
        for delivery in found
    ]


def note(session: Session, sending: Sending, outcome: Outcome) -> None:
    """Write down what came of an attempt. Nothing, if the delivery is not this sender's any more: another sends it again."""
    held = select(WebhookDelivery).where(
        WebhookDelivery.id == sending.delivery_id,
        WebhookDelivery.attempt == sending.attempt,
        WebhookDelivery.state == "sending",
    )
    # In this order, as when a webhook is deleted with its deliveries.
    webhook = session.get(Webhook, sending.webhook_id, with_for_update={"key_share": True})
    delivery = session.scalar(held.with_for_update())
    if webhook is None or delivery is None:
        return
    moment = now(session)
    again = None if outcome.error is None or outcome.gone else outcome.again
    session.add(
        WebhookAttempt(
            delivery_id=delivery.id,
            number=sending.attempt,
            at=outcome.at,
            seconds=outcome.seconds,
            status=outcome.status,
            error=outcome.error,
            answer=outcome.answer,
        )
    )
    delivery.next_at = None if again is None else moment + again
    delivery.state = "delivered" if outcome.error is None else "failed" if again is None else "pending"
    delivery.finished_at = moment if again is None else None
    _judge(session, webhook, outcome, moment)


def _judge(session: Session, webhook: Webhook, outcome: Outcome, moment: datetime) -> None:
    """What an attempt says of the webhook itself."""
    if outcome.error is None:
        webhook.delivered_at, webhook.failing_since = moment, None
        return
    webhook.failing_since = webhook.failing_since or moment
    if not webhook.enabled:
        return
    if outcome.gone:
        because = "its receiver answered 410 Gone: it wants nothing more"
    elif moment - webhook.failing_since >= FAILING:
        because = f"it has failed for {FAILING.days} days, the last time so: {outcome.error}"[:500]
    else:
        return
    webhooks.disable(session, webhook, because)
    audit.add_own(session, webhook.project_id, "disable_webhook", webhook.id)


def prune(session: Session, days: int) -> bool:
    """Forget deliveries of long ago, some at a time; gives whether there may be more. What is still to be sent again stays."""
    before = now(session) - timedelta(days=days)
    old = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.created_at < before, or_(WebhookDelivery.next_at.is_(None), WebhookDelivery.next_at < before))
        .limit(_PRUNED_AT_ONCE)
    )
    found = list(session.scalars(old))
    if found:
        session.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(found)), execution_options=_UNSYNCED)
    return len(found) == _PRUNED_AT_ONCE
