"""The same as `webhooks.py` for `await`. Made by client/make_async: change that file, and run it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pretext_client.async_http import AsyncHttp
from pretext_client.http import Call
from pretext_client.webhooks import _PATH, Delivery, Webhook, _delivery, _path


class AsyncWebhooks:
    """Webhooks of the project. For its administrators."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(self, *, after: str | None = None, limit: int | None = None) -> AsyncIterator[Webhook]:
        """All, the newest first; pages are fetched as needed. `after` is the id of one that the list goes on behind."""
        return self._http.some(_PATH, {"after": after}, Webhook, lambda one: one.id, limit)

    async def get(self, webhook_id: str) -> Webhook:
        """Read a webhook."""
        return await self._http.value(Call("GET", _path(webhook_id)), Webhook)

    async def create(
        self, url: str, events: Sequence[str] = ("*",), *, description: str = "", metadata: Mapping[str, str] | None = None
    ) -> Webhook:
        """Have events sent to an address. `secret` of what is given back is there this once.

        >>> secret = (await pretext.webhooks.create("https://example.org/pretext", ["job.succeeded", "job.failed"])).secret

        Args:
            url: an `https://` address that is public.
            events: what it wants to hear of: types such as `job.succeeded`, all of a kind, `job.*`, or everything, `*`.
            description: what it is for.
            metadata: your own notes.
        """
        asked = {"url": url, "events": [*events], "description": description, "metadata": dict(metadata or {})}
        return await self._http.value(Call("POST", _PATH, json=asked), Webhook)

    async def update(self, webhook_id: str, **changes: Any) -> Webhook:
        """Change its `url`, `events`, `enabled`, `description` or `metadata`; what is left out stays."""
        return await self._http.value(Call("PATCH", _path(webhook_id), json=changes), Webhook)

    async def delete(self, webhook_id: str) -> None:
        """Delete a webhook; what waits for it is not sent."""
        await self._http.json(Call("DELETE", _path(webhook_id)))

    async def rotate(self, webhook_id: str, *, keep_hours: float = 24) -> Webhook:
        """Give it a new `secret`, there this once. The old one signs, too, for some hours."""
        return await self._http.value(Call("POST", f"{_path(webhook_id)}/rotate", json={"keep_hours": keep_hours}), Webhook)

    async def test(self, webhook_id: str) -> Delivery:
        """Send an event of the type `webhook.test`."""
        return await self._http.value(Call("POST", f"{_path(webhook_id)}/test"), Delivery)

    def deliveries(
        self, webhook_id: str, *, state: str | None = None, after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Delivery]:
        """What was, and is about to be, sent to it, the newest first; pages are fetched as needed. `after`: as of `list`."""
        wanted = {"state": state, "after": after}
        return self._http.some(f"{_path(webhook_id)}/deliveries", wanted, Delivery, lambda one: one.id, limit)

    async def delivery(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Read one, with what came of each attempt."""
        return await self._http.value(Call("GET", _delivery(webhook_id, delivery_id)), Delivery)

    async def resend(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send one again, now, whatever came of it before."""
        return await self._http.value(Call("POST", f"{_delivery(webhook_id, delivery_id)}/resend"), Delivery)
