"""One webhook: how it goes, what was sent, and what can be done with it."""

from collections.abc import Callable

from nicegui import html, ui
from pretext_client import PretextError
from pretext_client.webhooks import Delivery, Webhook

from dashboard import words
from dashboard.calls import Trouble, ask, notice, rebuild, to_sign_in, told
from dashboard.pages.base import Page
from dashboard.pages.webhooks import ask_for, chosen_events, events_of, show_secret, state_of
from dashboard.parts import basics
from dashboard.parts.filters import Filters
from dashboard.parts.listing import BUTTONS, Listing
from dashboard.parts.questions import Given, Question

_STATES = ("pending", "sending", "delivered", "failed")
_KEPT = (("24", "For a day"), ("168", "For a week"), ("0", "No longer"))

_LAST = 25
_LOOK_SECONDS = 3.0
_WHAT_NOW = (
    "Everything is sent again by itself, for three days; a webhook that has failed for five days is disabled. Once your server "
    "is mended, send a test, or send again what is below."
)


async def build(webhook_id: str, state: str = "") -> None:
    """Everything about it."""
    webhook = await ask(lambda pretext: pretext.webhooks.get(webhook_id))
    with basics.heading(webhook.description or webhook.url, _lead(webhook), back=("Webhooks", "/webhooks")):
        basics.button("Send a test", lambda: _test(webhook))
        basics.button("Change", lambda: _change(webhook))
        basics.button("New secret", lambda: _rotate(webhook))
        if webhook.enabled:
            basics.button("Disable", lambda: _set_enabled(webhook, enabled=False))
        else:
            basics.button("Enable", lambda: _set_enabled(webhook, enabled=True), look="primary")
        basics.button("Delete", lambda: _delete(webhook), look="danger", icon_name="trash")
    place = html.div().classes("filtered")
    with place:
        await _how_it_goes(webhook)
    _follow(webhook, place)
    await _deliveries(webhook, state if state in _STATES else "")


def _lead(webhook: Webhook) -> str:
    return webhook.url if webhook.description else f"Made {words.ago(webhook.created_at)}."


async def _how_it_goes(webhook: Webhook) -> None:
    failed = await _last_failed(webhook) if webhook.failing_since is not None else None
    _warnings(webhook, failed)
    _facts(webhook)


def _follow(webhook: Webhook, place: html.div) -> None:
    """Bring what is said of it up to date. What can be done with it depends on whether it is enabled."""
    known = webhook

    async def look() -> None:
        nonlocal known
        try:
            now = await ask(lambda pretext: pretext.webhooks.get(webhook.id))
            if now.enabled != known.enabled:
                await rebuild()
            elif now != known:
                known = now
                place.clear()
                with place:
                    await _how_it_goes(now)
        except PretextError as error:  # the next look may find the server again
            if Trouble.of(error).signed_out:
                to_sign_in()

    ui.timer(_LOOK_SECONDS, look, immediate=False)


async def _last_failed(webhook: Webhook) -> Delivery | None:
    """The newest delivery that was tried in vain, with its attempts; None if none of the last few was."""
    last = await ask(lambda pretext: list(pretext.webhooks.deliveries(webhook.id, limit=_LAST)))
    failed = next((one for one in last if one.state != "delivered" and one.attempts), None)
    return await ask(lambda pretext: pretext.webhooks.delivery(webhook.id, failed.id)) if failed is not None else None


def _warnings(webhook: Webhook, failed: Delivery | None) -> None:
    if not webhook.enabled:
        with html.div().classes("banner"):
            because = f": {webhook.disabled_because}" if webhook.disabled_because else ""
            html.p(f"It is disabled{because}. What happens meanwhile is not sent. Enable it to go on.")
    elif webhook.failing_since is not None:
        with html.div().classes("banner bad"):
            with html.p():
                html.span("Every attempt fails; the first one that did was ")
                basics.moment(webhook.failing_since)
            if failed is not None and failed.log and failed.log[-1].error:
                with html.p():
                    html.span(f"What last failed: {failed.log[-1].error}, of ")
                    html.a(failed.type, href=f"/webhooks/{webhook.id}/{failed.id}")
            html.p(_WHAT_NOW)


def _facts(webhook: Webhook) -> None:
    delivered = words.ago(webhook.delivered_at) if webhook.delivered_at else "nothing yet"
    old = f"signs, too, until {webhook.old_secret_until:%Y-%m-%d %H:%M} UTC" if webhook.old_secret_until else ""
    pairs = [("Address", webhook.url), ("Hears of", events_of(webhook)), ("Last delivered", delivered), ("Old secret", old)]
    with basics.card("Facts"):
        with html.div().classes("status-line"):
            basics.state(state_of(webhook))
        basics.facts([(name, value) for name, value in [*pairs, ("Id", webhook.id)] if value])


async def _deliveries(webhook: Webhook, state: str) -> None:
    chosen = {"state": state}

    async def show() -> None:
        listing = Listing(
            lambda pretext, after, limit: list(
                pretext.webhooks.deliveries(webhook.id, state=chosen["state"] or None, after=after, limit=limit)
            ),
            lambda delivery: _row(delivery, listing),
            columns=("Event", "State", "Attempts", "Happened", BUTTONS),
            label="Deliveries",
            none=lambda: _none(webhook, filtered=bool(chosen["state"])),
        )
        await listing.start()

    html.h2("Deliveries")
    filters = Filters(f"/webhooks/{webhook.id}", chosen, show)
    filters.select("state", "State", [(one, words.named(one)) for one in _STATES])
    await filters.show()


def _none(webhook: Webhook, *, filtered: bool) -> None:
    if filtered:
        basics.empty("No such deliveries", "None is in this state. Choose “All” above.", "webhooks")
        return
    text = "What it hears of appears here once it happens. A test shows at once whether your server can be reached."
    with basics.empty("Nothing was sent yet", text, "webhooks"):
        if webhook.enabled:
            basics.button("Send a test", lambda: _test(webhook))


def _row(delivery: Delivery, listing: Listing[Delivery]) -> Callable[[Delivery], None]:
    with html.td():
        html.a(delivery.type, href=f"/webhooks/{delivery.webhook_id}/{delivery.id}").classes("row-link")
        html.div(delivery.id).classes("quiet small mono")
    with html.td().classes("tight"):
        state = basics.state(delivery.state)
    attempts = html.td(_attempts(delivery)).classes("tight num")
    with html.td().classes("tight quiet"):
        basics.moment(delivery.created_at)
    with html.td().classes("tight of-buttons over-row"):
        again = basics.button("Send again", lambda: resend(delivery, listing.refresh), look="small-button")
        again.props["aria-label"] = f"Send {delivery.type} again"

    def update(now: Delivery) -> None:
        basics.set_state(state, now.state)
        basics.set_text(attempts, _attempts(now))
        again.set_visibility(now.state != "sending" and now.attempts > 0)

    update(delivery)
    return update


def _attempts(delivery: Delivery) -> str:
    return words.count(delivery.attempts, "attempt") if delivery.attempts else "none yet"


async def resend(delivery: Delivery, then: basics.Action) -> None:
    """Send something again, and do something then."""
    with told():
        await ask(lambda pretext: pretext.webhooks.resend(delivery.webhook_id, delivery.id))
        notice(f"{delivery.type} is sent again.")
        done = then()
        if done is not None:
            await done


async def _test(webhook: Webhook) -> None:
    with told():
        sent = await ask(lambda pretext: pretext.webhooks.test(webhook.id))
        ui.navigate.to(f"/webhooks/{webhook.id}/{sent.id}")


async def _change(webhook: Webhook) -> None:
    asked = ask_for("Change the webhook", webhook)

    async def send(given: Given) -> Webhook:
        changes = {"url": given.text("url"), "description": given.text("description"), "events": chosen_events(given)}
        return await ask(lambda pretext: pretext.webhooks.update(webhook.id, **changes))

    if await asked.answered("Change it", send) is not None:
        notice("The webhook is changed.")
        await rebuild()


async def _rotate(webhook: Webhook) -> None:
    with Question("A new secret", "Requests are signed by the new one from now on.") as asked:
        why = "So that you have time to change your server. No longer, if the old one has got into wrong hands."
        asked.select("keep_hours", "The old one signs, too", _KEPT, chosen=_KEPT[0][0], help_=why)

    async def send(given: Given) -> Webhook:
        return await ask(lambda pretext: pretext.webhooks.rotate(webhook.id, keep_hours=float(given.text("keep_hours"))))

    made = await asked.answered("Make the secret", send)
    if made is not None:
        await show_secret(made)
        await rebuild()


async def _set_enabled(webhook: Webhook, *, enabled: bool) -> None:
    with told():
        await ask(lambda pretext: pretext.webhooks.update(webhook.id, enabled=enabled))
        notice(f"The webhook is {'enabled' if enabled else 'disabled'}.")
        await rebuild()


async def _delete(webhook: Webhook) -> None:
    text = "What waits for it is not sent, and its deliveries are forgotten. It cannot be undone."
    if not await basics.confirmed("Delete this webhook?", text, "Delete"):
        return
    with told():
        await ask(lambda pretext: pretext.webhooks.delete(webhook.id))
        ui.navigate.to("/webhooks")


PAGE = Page("/webhooks/{webhook_id}", "Webhook", build, needs="admin")
