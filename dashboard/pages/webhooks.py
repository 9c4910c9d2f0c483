"""Webhooks: servers of yours that are told what happens."""

from collections.abc import Callable, Sequence

from nicegui import html, ui
from pretext_client.webhooks import EVENTS, Webhook

from dashboard.calls import ask
from dashboard.pages.base import Page
from dashboard.parts import basics
from dashboard.parts.listing import Listing
from dashboard.parts.questions import Box, Given, Question, shown_once

_EVERYTHING = "*"
_WHAT_IT_IS_FOR = "Your server checks by it that a request comes from here."


async def build() -> None:
    """The list."""
    with basics.heading("Webhooks", "Servers of yours that are told, by signed requests, what happens in the project."):
        basics.button("New webhook", _create, look="primary", icon_name="new")
    await Listing(
        lambda pretext, after, limit: list(pretext.webhooks.list(after=after, limit=limit)),
        _row,
        columns=("Address", "State", "Events", "Last delivered"),
        label="Webhooks",
        none=_none,
        every=5,
    ).start()


def _none() -> None:
    text = "Name an address of yours, and it hears when a training ends, a dataset is ready, and the like."
    with basics.empty("No webhooks yet", text, "webhooks"):
        basics.button("New webhook", _create)


def _row(webhook: Webhook) -> Callable[[Webhook], None]:
    with html.td():
        address = html.a(webhook.url, href=f"/webhooks/{webhook.id}").classes("row-link")
        description = html.div(webhook.description).classes("quiet small")
    with html.td().classes("tight"):
        state = basics.state(state_of(webhook))
    events = html.td(events_of(webhook)).classes("quiet")
    delivered = html.td().classes("tight quiet").props('data-label="last delivered"')
    _show_delivered(delivered, webhook)

    def update(now: Webhook) -> None:
        basics.set_text(address, now.url)
        basics.set_text(description, now.description)
        basics.set_state(state, state_of(now))
        basics.set_text(events, events_of(now))
        delivered.clear()
        _show_delivered(delivered, now)

    return update


def _show_delivered(place: html.td, webhook: Webhook) -> None:
    with place:
        if webhook.delivered_at is None:
            html.span("never")
        else:
            basics.moment(webhook.delivered_at)


def state_of(webhook: Webhook) -> str:
    """How it goes, in a word that `basics.state` knows."""
    if not webhook.enabled:
        return "disabled"
    return "failing" if webhook.failing_since is not None else "enabled"


def events_of(webhook: Webhook) -> str:
    """What it hears of, in a line."""
    return "everything" if _EVERYTHING in webhook.events else ", ".join(webhook.events)


def ask_for(title: str, webhook: Webhook | None = None) -> Question:
    """The fields of a webhook, as it is now."""
    with Question(title) as asked:
        asked.text(
            "url",
            "Address",
            help_="Requests are sent to it by POST. It has to be public.",
            value=webhook.url if webhook else "",
            needed=True,
            kind="url",
            hint="https://example.org/pretext",
        )
        asked.text("description", "What it is for", value=webhook.description if webhook else "", help_="May be left empty.")
        asked.boxes("events", "It hears of", _boxes(), ticked=webhook.events if webhook else (_EVERYTHING,))
    return asked


def _boxes() -> Sequence[Box]:
    """Everything; all of a kind; each type by itself."""
    kinds = list(dict.fromkeys(one.partition(".")[0] for one in EVENTS))
    of_kinds = [(kind, tuple(Box(one, one) for one in EVENTS if one.startswith(f"{kind}."))) for kind in kinds]
    boxes = [Box(f"{kind}.*", f"Everything about {kind}s", types) if len(types) > 1 else types[0] for kind, types in of_kinds]
    return [Box(_EVERYTHING, "Everything", tuple(boxes))]


def chosen_events(given: Given) -> list[str]:
    """What was ticked, without what is part of something wider that is ticked, too."""
    ticked = given.ticked("events")
    if _EVERYTHING in ticked:
        return [_EVERYTHING]
    return [one for one in ticked if one.endswith(".*") or f"{one.partition('.')[0]}.*" not in ticked]


async def _create() -> None:
    asked = ask_for("New webhook")

    async def send(given: Given) -> Webhook:
        return await ask(
            lambda pretext: pretext.webhooks.create(given.text("url"), chosen_events(given), description=given.text("description"))
        )

    made = await asked.answered("Make the webhook", send)
    if made is not None:
        await show_secret(made)
        ui.navigate.to(f"/webhooks/{made.id}")


async def show_secret(webhook: Webhook) -> None:
    """Show what it signs by, once."""
    await shown_once("The webhook's secret", _WHAT_IT_IS_FOR, str(webhook.secret), "the secret")


PAGE = Page("/webhooks", "Webhooks", build, icon="webhooks", needs="admin", within=("/webhooks/",))
