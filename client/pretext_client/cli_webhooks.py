"""`pretext webhooks`: have a server of yours told what happens, and see what came of it."""

import time
from datetime import datetime
from itertools import islice
from typing import Annotated

import typer

from pretext_client import completing
from pretext_client.cli_parts import Limit, group, listing
from pretext_client.session import EXIT_FAILED, session
from pretext_client.shown import moment
from pretext_client.webhooks import Delivery, Webhook, Webhooks

app = group("Servers of yours that are told what happens: list, create, show, update, test, deliveries, delete.")

_LOOK_SECONDS = 0.3
_ENDED = {"delivered", "failed"}
_LAST = 25

Id = Annotated[str, typer.Argument(help="Id of the webhook.", metavar="WEBHOOK", autocompletion=completing.webhooks)]


@listing(app)
def list_webhooks(context: typer.Context, limit: Limit = 100) -> None:
    """List the webhooks."""
    with session(context) as run:
        found = list(islice(run.client.webhooks.list(), limit))
        rows = [(one.id, _state(one), ", ".join(one.events), _when(one.delivered_at), one.url, one.description) for one in found]
        run.output.table(("id", "state", "events", "last delivered", "url", "description"), found, rows)


@app.command()
def create(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Where events are sent by POST: an https:// address that is public.")],
    event: Annotated[
        list[str] | None,
        typer.Option(
            help="What it wants to hear of, such as job.succeeded or job.*; may be repeated. Default: all.",
            autocompletion=completing.events,
        ),
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Have events sent to an address. The secret that they are signed by is printed this once."""
    with session(context) as run:
        made = run.client.webhooks.create(url, event or ["*"], description=description)
        run.output.note(f"{made.id}; its secret is shown this once. Try it: {run.prefix} webhooks test {made.id}")
        run.output.value(made, str(made.secret))


@app.command()
def show(context: typer.Context, webhook: Id) -> None:
    """Say where a webhook sends what, and how it goes."""
    with session(context) as run:
        found = run.client.webhooks.get(webhook)
        told = [f"{found.id}  {_state(found)}, {', '.join(found.events)} to {found.url}"]
        told += [found.description] if found.description else []
        told += [f"disabled because {found.disabled_because}"] if found.disabled_because else []
        told += [f"last delivered {moment(found.delivered_at)}"] if found.delivered_at else []
        told += [f"the secret before this one signs, too, until {moment(found.old_secret_until)}"] if found.old_secret_until else []
        if found.failing_since and not run.output.as_json:
            told += _last_failed(run.client.webhooks, found)
        run.output.value(found, "\n".join(told))


@app.command()
def update(
    context: typer.Context,
    webhook: Id,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether events are sent.")] = None,
    url: Annotated[str | None, typer.Option(help="Where events are sent.")] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(help="What it wants to hear of instead; may be repeated.", autocompletion=completing.events),
    ] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
) -> None:
    """Change a webhook, or enable it again."""
    asked = {"enabled": enabled, "url": url, "events": event or None, "description": description}
    with session(context) as run:
        found = run.client.webhooks.update(webhook, **{name: value for name, value in asked.items() if value is not None})
        run.output.value(found, f"{found.id}  {_state(found)}, {', '.join(found.events)} to {found.url}")


@app.command()
def delete(context: typer.Context, webhook: Id) -> None:
    """Delete a webhook. What waits for it is not sent."""
    with session(context) as run:
        found = run.client.webhooks.get(webhook)
        run.client.webhooks.delete(found.id)
        run.output.value(found, f"{found.id}  deleted")


@app.command()
def rotate(
    context: typer.Context,
    webhook: Id,
    keep_hours: Annotated[float, typer.Option(min=0, help="Hours for which the old secret signs, too; 0: not at all.")] = 24,
) -> None:
    """Give a webhook a new secret. It is printed this once."""
    with session(context) as run:
        found = run.client.webhooks.rotate(webhook, keep_hours=keep_hours)
        until = f"; the old one signs, too, until {moment(found.old_secret_until)}" if found.old_secret_until else ""
        run.output.note(f"{found.id}; the new secret is shown this once{until}")
        run.output.value(found, str(found.secret))


@app.command("test")
def send_test(
    context: typer.Context,
    webhook: Id,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for what comes of it.")] = 20,
) -> None:
    """Send a test event, and say what came of it."""
    with session(context) as run:
        run.interrupted = "Stopped; the event is sent all the same."
        found = _watched(run.client.webhooks, run.client.webhooks.test(webhook), wait)
        run.output.value(found, _told(found))
        if found.state != "delivered":
            raise typer.Exit(EXIT_FAILED)


@app.command()
def deliveries(
    context: typer.Context,
    webhook: Id,
    delivery: Annotated[str | None, typer.Argument(help="Id of one, to see all that is known of it.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those that are pending, sending, delivered or failed.")] = None,
    limit: Limit = 100,
) -> None:
    """List what was sent and is about to be, or show one with its attempts."""
    with session(context) as run:
        if delivery is not None:
            one = run.client.webhooks.delivery(webhook, delivery)
            run.output.value(one, _told(one))
            return
        found = list(islice(run.client.webhooks.deliveries(webhook, state=state), limit))
        rows = [(one.id, one.type, one.state, one.attempts, _when(one.created_at), _when(one.next_at)) for one in found]
        run.output.table(("id", "event", "state", "attempts", "happened", "next attempt"), found, rows)


@app.command()
def resend(
    context: typer.Context,
    webhook: Id,
    delivery: Annotated[str, typer.Argument(help="Id of the delivery.")],
) -> None:
    """Send something again, now, whatever came of it before."""
    with session(context) as run:
        found = run.client.webhooks.resend(webhook, delivery)
        run.output.value(found, f"{found.id}  {found.type} is sent again")


def _last_failed(of: Webhooks, webhook: Webhook) -> list[str]:
    """The newest delivery that was tried in vain, with its attempts; nothing if none of the last few was."""
    last = of.deliveries(webhook.id, limit=_LAST)
    failed = next((one for one in last if one.state != "delivered" and one.attempts), None)
    return ["what last failed:", _told(of.delivery(webhook.id, failed.id))] if failed is not None else []


def _watched(of: Webhooks, sent: Delivery, seconds: float) -> Delivery:
    """Wait until there was an attempt and its end is noted, or the time is over."""
    until = time.monotonic() + seconds
    while True:
        found = of.delivery(sent.webhook_id, sent.id)
        if found.state in _ENDED or found.log or time.monotonic() >= until:
            return found
        time.sleep(_LOOK_SECONDS)


def _state(one: Webhook) -> str:
    if not one.enabled:
        return "disabled"
    return f"failing since {moment(one.failing_since)}" if one.failing_since else "enabled"


def _when(time_: datetime | None) -> str:
    return moment(time_) if time_ else ""


def _told(one: Delivery) -> str:
    again = f", next attempt {moment(one.next_at)}" if one.log and one.next_at else ""
    lines = [f"{one.id}  {one.type}: {one.state}{again}"]
    if not one.log and one.state not in _ENDED:
        lines.append("no worker has sent it yet; `pretext webhooks deliveries` tells later")
    for attempt in one.log:
        outcome = attempt.error or f"answered {attempt.status}"
        lines.append(f"  {attempt.number}. {moment(attempt.at)}, {attempt.seconds:.2f} s: {outcome}")
        if attempt.answer:
            lines.append(f"     {attempt.answer.splitlines()[0][:100]}")
    return "\n".join(lines)
