"""What a job would take, if the client can ask the server for that."""

from collections.abc import Mapping
from typing import Any

from nicegui import html, ui
from pretext_client import PretextError

from dashboard import words
from dashboard.calls import ask, session
from dashboard.parts import basics

_CALM_SECONDS = 0.6
"""Nobody asks while somebody types."""


class Estimate:
    """Time and memory of what the form asks for, shortly after it was changed."""

    def __init__(self) -> None:
        self._asks = hasattr(session().client.jobs, "estimate")
        self._wanted: Mapping[str, Any] = {}
        self._timer: ui.timer | None = None
        self._place = html.div().classes("estimate").props("aria-live=polite")
        self._place.set_visibility(False)

    def ask(self, request: Mapping[str, Any]) -> None:
        """Ask for this in a moment, unless it is changed again before."""
        if not self._asks:
            return
        self._wanted = dict(request)
        if self._timer is not None:
            self._timer.cancel()
        with self._place:
            self._timer = ui.timer(_CALM_SECONDS, self._ask, once=True)

    async def _ask(self) -> None:
        rest = {name: value for name, value in self._wanted.items() if name not in {"dataset_id", "evaluate"}}
        dataset_id = self._wanted["dataset_id"]
        try:
            found = await ask(lambda pretext: getattr(pretext.jobs, "estimate")(dataset_id, **rest))  # noqa: B009  it may not have it
        except PretextError:
            self._place.set_visibility(False)  # what is wrong with the request, the start of the training tells
            return
        self._place.clear()
        with self._place:
            basics.facts(_facts(found.raw))
        self._place.set_visibility(True)


def _facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    time, memory, workers = found.get("time") or {}, found.get("memory") or {}, found.get("workers") or []
    pairs = []
    if time.get("seconds") is not None:
        pairs.append(("Takes about", words.duration(time["seconds"])))
    if memory.get("total_bytes") is not None:
        pairs.append(("Memory", words.size(memory["total_bytes"])))
    if workers:
        fits = [one for one in workers if one.get("fits") is not False]
        named = workers[0].get("device_name") or workers[0].get("device", "")
        pairs.append(("Can run on", words.count(sum(one.get("count", 1) for one in fits), "worker") + f", such as {named}"))
    elif "workers" in found:
        pairs.append(("Can run on", "no worker that is alive now"))
    if found.get("note"):
        pairs.append(("Note", str(found["note"])))
    return pairs
