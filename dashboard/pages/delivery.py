"""One delivery of a webhook: what was sent, and what came of each attempt."""

import json

from nicegui import html, ui
from pretext_client import PretextError
from pretext_client.webhooks import Delivery, WebhookAttempt

from dashboard.calls import Trouble, ask, rebuild, to_sign_in
from dashboard.pages.base import Page
from dashboard.pages.webhook import resend
from dashboard.parts import basics

_ENDED = {"delivered", "failed"}
_LOOK_SECONDS = 1.0


async def build(webhook_id: str, delivery_id: str) -> None:
    """Everything about it, live until it has ended."""
    found = await ask(lambda pretext: pretext.webhooks.delivery(webhook_id, delivery_id))
    lead = f"Happened at {found.created_at:%Y-%m-%d %H:%M:%S} UTC."
    with basics.heading(found.type, lead, back=("Webhook", f"/webhooks/{webhook_id}")):
        if found.state in _ENDED or found.attempts:
            basics.button("Send again", lambda: resend(found, rebuild))
    with basics.card("How it went"):
        place = html.div().classes("stack")
        with place:
            _show(found)
    with basics.card("What is sent", "The body of the request. Its webhook-id is the same in all attempts."):
        basics.code(json.dumps(found.payload, indent=2, ensure_ascii=False), "the body")
        basics.facts([("webhook-id", found.event_id), ("Delivery", found.id)])
    if found.state not in _ENDED:
        _follow(found, place)


def _follow(found: Delivery, place: html.div) -> None:
    known = found

    async def look() -> None:
        nonlocal known
        try:
            now = await ask(lambda pretext: pretext.webhooks.delivery(known.webhook_id, known.id))
        except PretextError as error:  # the next look may find the server again
            if Trouble.of(error).signed_out:
                to_sign_in()
            return
        if now.state in _ENDED:
            timer.deactivate()
            ui.run_javascript(f"page.say('The delivery is {'done' if now.state == 'delivered' else 'failed'}')")
            await rebuild()
        elif now != known:
            place.clear()
            with place:
                _show(now)
        known = now

    timer = ui.timer(_LOOK_SECONDS, look, immediate=False)


def _show(found: Delivery) -> None:
    with html.div().classes("status-line"):
        basics.state(found.state)
        if found.next_at is not None and found.log:
            html.span(f"next attempt at {found.next_at:%Y-%m-%d %H:%M:%S} UTC").classes("quiet")
    if not found.log:
        html.p("It was not sent yet: a worker takes it within seconds, if one is alive.").classes("quiet")
        return
    with html.ol().classes("timeline attempts"):
        for attempt in reversed(found.log):
            _attempt(attempt)


def _attempt(attempt: WebhookAttempt) -> None:
    with html.li():
        with html.div().classes("attempt"):
            html.p(f"{attempt.number}. {_outcome(attempt)}").classes("bad" if attempt.error else "")
            if attempt.answer:
                html.pre(attempt.answer).classes("mono small quiet answer")
        with html.div().classes("quiet small tight"):
            basics.moment(attempt.at)
            html.span(f" · {_took(attempt.seconds)}")


def _took(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _outcome(attempt: WebhookAttempt) -> str:
    return attempt.error or f"answered {attempt.status}"


PAGE = Page("/webhooks/{webhook_id}/{delivery_id}", "Delivery", build, needs="admin")
