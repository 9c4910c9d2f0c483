"""What webhooks and their deliveries look like from outside."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.changes import Change
from api.metadata import MetadataIn
from api.pages import Metadata, Moment, Resource
from records.models import Webhook, WebhookAttempt, WebhookDelivery
from records.outbox import TYPES

DeliveryState = Literal["pending", "sending", "delivered", "failed"]
_KNOWN = ", ".join(f"`{type_}`" for type_ in TYPES)


_PATTERNS = ("*", *dict.fromkeys(f"{type_.partition('.')[0]}.*" for type_ in TYPES), *TYPES)


def _known(patterns: list[str]) -> list[str]:
    for pattern in patterns:
        if pattern not in _PATTERNS:
            raise ValueError(f"{pattern!r:.80} is no event; choose of {', '.join(_PATTERNS)}")
    return list(dict.fromkeys(patterns))


Events = Annotated[
    list[Annotated[str, Field(max_length=64)]],
    AfterValidator(_known),
    Field(
        min_length=1,
        max_length=50,
        description=f"What it wants to hear of: {_KNOWN}; all of a kind, such as `job.*`; or `*`.",
        examples=[["job.succeeded", "job.failed"]],
    ),
]
Url = Annotated[str, Field(min_length=1, max_length=2048, examples=["https://example.org/pretext"])]
Description = Annotated[str, Field(max_length=500)]


class WebhookRequest(BaseModel):
    """A webhook to make."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    url: Url
    """Where events are sent by POST: an `https://` address that is public."""
    events: Events
    description: Description = ""
    """What it is for."""
    metadata: MetadataIn = Field(default_factory=dict)


class WebhookUpdate(Change):
    """What shall be different. What is left out stays."""

    url: Url | None = None
    """Where events are sent."""
    events: Events | None = None
    """What it wants to hear of."""
    enabled: bool | None = None
    """Whether events are noted and sent. What waits is kept while they are not, and goes on afterwards."""
    description: Description | None = None
    """What it is for."""


class SecretRotation(BaseModel):
    """How to go over to a new secret."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    keep_hours: float = Field(default=24, ge=0, le=24 * 30, strict=True)
    """Hours for which the old secret signs, too, beside the new one. 0: not at all, as when it has got into wrong hands."""


class WebhookOut(Resource):
    """An address that is told what happens in the project."""

    object: Literal["webhook"] = "webhook"
    """Always `webhook`."""
    id: str
    """Begins with `hook_`."""
    url: str
    """Where events are sent."""
    events: list[str]
    """What it wants to hear of."""
    description: str
    """What it is for."""
    enabled: bool
    """Whether events are noted for it, and sent."""
    disabled_at: Moment | None
    """Since when it is not enabled."""
    disabled_because: str | None
    """Why it is not enabled: somebody wanted it, its receiver answered 410 Gone, or has failed for five days."""
    failing_since: Moment | None
    """Since when nothing but failures came of it; none if the last attempt went well."""
    delivered_at: Moment | None
    """When its receiver last took an event."""
    old_secret_until: Moment | None
    """How long the secret before this one signs, too."""
    created_at: Moment
    """When it was made."""
    metadata: Metadata

    @classmethod
    def of(cls, webhook: Webhook, **more: Any) -> Self:
        """Show a record."""
        known = WebhookOut.model_fields.keys() - {"object", "metadata"}
        return cls.model_validate({**{name: getattr(webhook, name) for name in known}, "metadata": webhook.meta, **more})


class NewWebhookOut(WebhookOut):
    """A webhook with a new secret."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    """What its receiver checks signatures by. It is shown this once."""


class AttemptOut(Resource):
    """One request to the receiver."""

    number: int
    """From 1; one that is missing was cut off before anything could be noted of it."""
    at: Moment
    """When it began."""
    seconds: float
    """How long it took."""
    status: int | None
    """HTTP status of the answer; none if there was none."""
    error: str | None
    """Why it counts as failed; none if it does not."""
    answer: str | None
    """Beginning of the answer's body, up to 1 KiB."""


class DeliveryOut(Resource):
    """An event on its way to a webhook."""

    object: Literal["webhook.delivery"] = "webhook.delivery"
    """Always `webhook.delivery`."""
    id: str
    """Begins with `dlv_`."""
    webhook_id: str
    """Where it goes."""
    event_id: str
    """Its `webhook-id` header: the same in all attempts, so that receivers know what they have seen already."""
    type: str
    """What happened."""
    state: DeliveryState
    """`pending` until it is sent, or sent again; `delivered` once it was answered by 2xx; `failed` after the last attempt."""
    attempts: int
    """Requests so far."""
    next_at: Moment | None
    """When it is sent, or sent again."""
    created_at: Moment
    """When it happened."""
    finished_at: Moment | None
    """When it was delivered, or failed."""

    @classmethod
    def of(cls, delivery: WebhookDelivery, **more: Any) -> Self:
        """Show a record."""
        known = DeliveryOut.model_fields.keys() - {"object", "attempts", "next_at"}
        next_at = None if delivery.state == "sending" else delivery.next_at
        shown = {**{name: getattr(delivery, name) for name in known}, "attempts": delivery.attempt, "next_at": next_at}
        return cls.model_validate({**shown, **more})


class DeliveryDetail(DeliveryOut):
    """An event on its way to a webhook, with what came of each attempt."""

    payload: dict[str, Any]
    """The body: `type`, `timestamp`, and `data`, the resource in short."""
    log: list[AttemptOut]
    """The attempts, the first one first."""

    @classmethod
    def detailed(cls, delivery: WebhookDelivery, attempts: list[WebhookAttempt]) -> Self:
        """Show a record."""
        log = [{name: getattr(one, name) for name in AttemptOut.model_fields} for one in attempts]
        return cls.of(delivery, payload=json.loads(delivery.payload), log=log)
