"""Webhooks over HTTP."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Depends

from api.errors import responses
from api.etags import ReadingDep, WritingDep
from api.narrowing import METADATA, NarrowDep, TimeDep
from api.pages import After, Limit, Page
from api.security import require_admin
from api.services import ServicesDep, SessionDep
from api.webhooks.schemas import (
    DeliveryDetail,
    DeliveryOut,
    DeliveryState,
    NewWebhookOut,
    SecretRotation,
    WebhookOut,
    WebhookRequest,
    WebhookUpdate,
)
from records.queries import deliveries, webhooks
from records.receivers import Receivers
from records.signing import signing_key

router = APIRouter(prefix="/v1/webhooks", tags=["administration"], dependencies=[Depends(require_admin)])


@router.post("", status_code=201, summary="Make a webhook", responses=responses(401, 403, 409, 422))
def create_webhook(request: WebhookRequest, session: SessionDep, services: ServicesDep) -> NewWebhookOut:
    """Have events sent to an address of yours, signed by [Standard Webhooks](https://www.standardwebhooks.com).

    The secret is in the answer this once. Each event comes at least once, with the same `webhook-id` if more often, and in no
    promised order. What is not answered by 2xx within 15 seconds is sent again for three days.
    """
    Receivers.by(services.settings).target(request.url)
    key = signing_key(services.settings, make=True)
    webhook = webhooks.create(session, **request.model_dump(), key_print=key.print)
    return NewWebhookOut.of(webhook, secret=key.shown(webhook.id, webhook.secret_number))


@router.get("", summary="List webhooks", openapi_extra=METADATA, responses=responses(401, 403))
def list_webhooks(session: SessionDep, narrow: NarrowDep, limit: Limit = 20, after: After = None) -> Page[WebhookOut]:
    """The newest first."""
    found, more = webhooks.page(session, limit=limit, after=after, narrow=narrow)
    return Page(data=[WebhookOut.of(webhook) for webhook in found], has_more=more)


@router.get("/{webhook_id}", summary="Read a webhook", responses=responses(401, 403, 404))
def read_webhook(webhook_id: str, session: SessionDep, answer: ReadingDep) -> WebhookOut:
    """What it wants to hear of, and how it goes."""
    return answer(WebhookOut.of(webhooks.get(session, webhook_id)))


@router.patch("/{webhook_id}", summary="Change a webhook", responses=responses(401, 403, 404, 412, 422))
def update_webhook(
    webhook_id: str, request: WebhookUpdate, session: SessionDep, services: ServicesDep, writing: WritingDep
) -> WebhookOut:
    """Its address, what it wants to hear of, whether it is enabled, and its metadata.

    To enable it again gives it another five days. With `If-Match`, only if nobody else has changed it since you read it.
    """
    webhook = webhooks.locked(session, webhook_id)
    writing.check(lambda: WebhookOut.of(webhook))
    if request.url is not None:
        Receivers.by(services.settings).target(request.url)
    request.apply(
        webhook, leave={"enabled", *(name for name in ("url", "events", "description") if getattr(request, name) is None)}
    )
    enabled = webhook.enabled if request.enabled is None else request.enabled
    if enabled and not webhook.enabled:
        webhooks.enable(session, webhook)
    elif webhook.enabled and not enabled:
        webhooks.disable(session, webhook, "it was disabled by a request")
    session.flush()
    return writing.done(WebhookOut.of(webhook))


@router.delete("/{webhook_id}", status_code=204, summary="Delete a webhook", responses=responses(401, 403, 404, 412))
def delete_webhook(webhook_id: str, session: SessionDep, writing: WritingDep) -> None:
    """Delete it with its deliveries; what waits is not sent."""
    writing.check(lambda: WebhookOut.of(webhooks.locked(session, webhook_id)))
    webhooks.delete(session, webhook_id)


@router.post("/{webhook_id}/rotate", summary="Give a webhook a new secret", responses=responses(401, 403, 404, 409, 422))
def rotate_webhook_secret(
    webhook_id: str, session: SessionDep, services: ServicesDep, request: Annotated[SecretRotation | None, Body()] = None
) -> NewWebhookOut:
    """The new secret is in the answer this once. For a while everything is signed twice, so that receivers have time to change."""
    webhook = webhooks.get(session, webhook_id)
    key = signing_key(services.settings, make=True)
    webhooks.rotate(session, webhook, key.print, timedelta(hours=(request or SecretRotation()).keep_hours))
    return NewWebhookOut.of(webhook, secret=key.shown(webhook.id, webhook.secret_number))


@router.post("/{webhook_id}/test", status_code=201, summary="Send a test event", responses=responses(401, 403, 404, 409))
def test_webhook(webhook_id: str, session: SessionDep) -> DeliveryOut:
    """Send an event of the type `webhook.test`, whatever the webhook wants to hear of. Its delivery tells what came of it."""
    return DeliveryOut.of(webhooks.test(session, webhooks.get(session, webhook_id)))


@router.get("/{webhook_id}/deliveries", summary="List what was sent to a webhook", responses=responses(401, 403, 404))
def list_deliveries(
    webhook_id: str,
    session: SessionDep,
    narrow: TimeDep,
    limit: Limit = 20,
    after: After = None,
    state: DeliveryState | None = None,
) -> Page[DeliveryOut]:
    """And what is about to be, the newest first. Those of more than 30 days ago are forgotten (`PRETEXT_WEBHOOK_DAYS`)."""
    found, more = deliveries.page(session, webhook_id, limit=limit, after=after, state=state, narrow=narrow)
    return Page(data=[DeliveryOut.of(delivery) for delivery in found], has_more=more)


@router.get("/{webhook_id}/deliveries/{delivery_id}", summary="Read a delivery", responses=responses(401, 403, 404))
def read_delivery(webhook_id: str, delivery_id: str, session: SessionDep) -> DeliveryDetail:
    """The event, and each attempt with its status, its time, and the beginning of the answer."""
    delivery = deliveries.get(session, webhook_id, delivery_id)
    return DeliveryDetail.detailed(delivery, deliveries.attempts(session, delivery.id))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/resend", summary="Send something again", responses=responses(401, 403, 404, 409)
)
def resend_delivery(webhook_id: str, delivery_id: str, session: SessionDep) -> DeliveryOut:
    """Now, whatever came of it before, with the same `webhook-id` and body, and with all repetitions if it fails."""
    return DeliveryOut.of(deliveries.resend(session, webhook_id, delivery_id))
