"""Webhooks: have a server of yours told what happens, by signed requests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pretext_client.http import Call, Http
from pretext_client.types import Json, Value

EVENTS = (
    "job.queued",
    "job.started",
    "job.paused",
    "job.succeeded",
    "job.failed",
    "job.cancelled",
    "dataset.created",
    "dataset.ready",
    "dataset.failed",
    "model.created",
    "evaluation.created",
    "embedding.created",
)
"""All types of events that this version knows, beside `webhook.test`, which is sent on demand."""

_PATH = "/v1/webhooks"


@dataclass(frozen=True, kw_only=True)
class Webhook(Value):
    """An address that is told what happens in the project."""

    id: str
    url: str
    events: tuple[str, ...]
    """What it wants to hear of: `job.succeeded`, `job.*`, `*`, …"""
    description: str = ""
    enabled: bool = True
    disabled_at: datetime | None = None
    disabled_because: str | None = None
    failing_since: datetime | None = None
    """Since when nothing but failures came of it."""
    delivered_at: datetime | None = None
    """When its receiver last took an event."""
    old_secret_until: datetime | None = None
    """How long the secret before this one signs, too."""
    created_at: datetime
    metadata: Json
    secret: str | None = None
    """What its receiver checks signatures by (`pretext_client.verify`); there only just after it was made or rotated."""


@dataclass(frozen=True, kw_only=True)
class WebhookAttempt(Value):
    """One request to the receiver."""

    number: int
    at: datetime
    seconds: float
    status: int | None = None
    """HTTP status of the answer; none if there was none."""
    error: str | None = None
    """Why it counts as failed."""
    answer: str | None = None
    """Beginning of the answer's body."""


@dataclass(frozen=True, kw_only=True)
class Delivery(Value):
    """An event on its way to a webhook. `payload` and `log` are there when one is read by its id."""

    id: str
    webhook_id: str
    event_id: str
    """Its `webhook-id` header, the same in all attempts."""
    type: str
    state: str
    """`pending`, `sending`, `delivered` or `failed`."""
    attempts: int
    next_at: datetime | None = None
    """When it is sent, or sent again."""
    created_at: datetime
    finished_at: datetime | None = None
    payload: Json | None = None
    log: tuple[WebhookAttempt, ...] = ()


class Webhooks:
    """Webhooks of the project. For its administrators."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self, *, after: str | None = None, limit: int | None = None) -> Iterator[Webhook]:
        """All, the newest first; pages are fetched as needed. `after` is the id of one that the list goes on behind."""
        return self._http.some(_PATH, {"after": after}, Webhook, lambda one: one.id, limit)

    def get(self, webhook_id: str) -> Webhook:
        """Read a webhook."""
        return self._http.value(Call("GET", _path(webhook_id)), Webhook)

    def create(
        self, url: str, events: Sequence[str] = ("*",), *, description: str = "", metadata: Mapping[str, str] | None = None
    ) -> Webhook:
        """Have events sent to an address. `secret` of what is given back is there this once.

        >>> secret = pretext.webhooks.create("https://example.org/pretext", ["job.succeeded", "job.failed"]).secret

        Args:
            url: an `https://` address that is public.
            events: what it wants to hear of: types such as `job.succeeded`, all of a kind, `job.*`, or everything, `*`.
            description: what it is for.
            metadata: your own notes.
        """
        asked = {"url": url, "events": [*events], "description": description, "metadata": dict(metadata or {})}
        return self._http.value(Call("POST", _PATH, json=asked), Webhook)

    def update(self, webhook_id: str, **changes: Any) -> Webhook:
        """Change its `url`, `events`, `enabled`, `description` or `metadata`; what is left out stays."""
        return self._http.value(Call("PATCH", _path(webhook_id), json=changes), Webhook)

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook; what waits for it is not sent."""
        self._http.json(Call("DELETE", _path(webhook_id)))

    def rotate(self, webhook_id: str, *, keep_hours: float = 24) -> Webhook:
        """Give it a new `secret`, there this once. The old one signs, too, for some hours."""
        return self._http.value(Call("POST", f"{_path(webhook_id)}/rotate", json={"keep_hours": keep_hours}), Webhook)

    def test(self, webhook_id: str) -> Delivery:
        """Send an event of the type `webhook.test`."""
        return self._http.value(Call("POST", f"{_path(webhook_id)}/test"), Delivery)

    def deliveries(
        self, webhook_id: str, *, state: str | None = None, after: str | None = None, limit: int | None = None
    ) -> Iterator[Delivery]:
        """What was, and is about to be, sent to it, the newest first; pages are fetched as needed. `after`: as of `list`."""
        wanted = {"state": state, "after": after}
        return self._http.some(f"{_path(webhook_id)}/deliveries", wanted, Delivery, lambda one: one.id, limit)

    def delivery(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Read one, with what came of each attempt."""
        return self._http.value(Call("GET", _delivery(webhook_id, delivery_id)), Delivery)

    def resend(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send one again, now, whatever came of it before."""
        return self._http.value(Call("POST", f"{_delivery(webhook_id, delivery_id)}/resend"), Delivery)


def _path(webhook_id: str) -> str:
    return f"{_PATH}/{quote(webhook_id, safe='')}"


def _delivery(webhook_id: str, delivery_id: str) -> str:
    return f"{_path(webhook_id)}/deliveries/{quote(delivery_id, safe='')}"
