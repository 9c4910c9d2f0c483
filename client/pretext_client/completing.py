"""What the shell offers behind Tab: ids and names, asked of the server, which gets a second for it."""

from collections.abc import Callable, Iterator
from itertools import islice

import typer

from pretext_client import profiles as stored
from pretext_client.client import Pretext
from pretext_client.errors import PretextError
from pretext_client.retry import Retry
from pretext_client.shown import harmless
from pretext_client.webhooks import EVENTS

Offer = tuple[str, str]
"""What can stand there, and what it is."""
_MOST = 50
_SECONDS = 1.0


def _completer(offers: Callable[[Pretext], Iterator[Offer]]) -> Callable[[typer.Context, str], list[Offer]]:
    """Offers the newest; nothing when the server is away, or anything else is wrong: Tab is no place for errors."""

    def complete(context: typer.Context, incomplete: str) -> list[Offer]:
        given = context.find_root().params
        try:
            with Pretext(
                given.get("url"), given.get("api_key"), timeout=_SECONDS, retry=Retry(times=0), profile=given.get("profile")
            ) as client:
                found = islice(offers(client), _MOST)
                return [(one, harmless(about)) for one, about in found if one.startswith(incomplete)]
        except (PretextError, OSError, KeyError, TypeError):
            return []

    return complete


def profiles() -> list[str]:
    """Names of the servers that were logged in to."""
    try:
        return sorted(stored.read())
    except PretextError:
        return []


def events() -> list[str]:
    """What webhooks can hear of."""
    kinds = dict.fromkeys(f"{one.partition('.')[0]}.*" for one in EVENTS)
    return ["*", *kinds, *EVENTS]


def _datasets(client: Pretext) -> Iterator[Offer]:
    for one in client.datasets.list():
        about = f"{one.name}, {one.state}"
        yield one.id, about
        if one.name.isprintable() and not set(one.name) & set(" \t\n'\"\\$`"):
            yield one.name, one.state


datasets = _completer(_datasets)
jobs = _completer(lambda client: ((one.id, f"{one.kind} {one.state}") for one in client.jobs.list()))
models = _completer(lambda client: ((one.id, one.name) for one in client.models.list()))
evaluations = _completer(lambda client: ((one.id, f"of {one.model_id}") for one in client.evaluations.list()))
embeddings = _completer(lambda client: ((one.id, f"by {one.model_id}") for one in client.embeddings.list()))
tasks = _completer(lambda client: ((one.name, one.summary) for one in client.tasks()))
encoders = _completer(lambda client: ((one.name, one.summary) for one in client.encoders()))
keys = _completer(lambda client: ((one.id, one.name) for one in client.keys.list()))
members = _completer(lambda client: ((one.id, one.name) for one in client.members.list()))
webhooks = _completer(lambda client: ((one.id, one.url) for one in client.webhooks.list()))
uploads = _completer(lambda client: ((one.id, one.filename) for one in client.uploads.list()))
projects = _completer(lambda client: ((one.id, one.name) for one in client.projects.list()))
