"""What happened to a job, the newest first; not more than people read."""

from collections import deque
from typing import Any

from nicegui import html
from pretext_client.types import Event

from dashboard import words
from dashboard.parts import basics

_MOST = 60


class Timeline:
    """Events in words. Pictures are left out: they can be seen."""

    def __init__(self) -> None:
        self._shown: deque[Any] = deque()
        self._newest_is_checkpoint = False
        with basics.card("What happened"):
            self._list = html.ol(reversed="").classes("timeline")
            self._waiting = html.p("Nothing yet.").classes("quiet")

    def add(self, event: Event) -> None:
        """Something has happened."""
        text = _in_words(event)
        if text is None:
            return
        self._waiting.set_visibility(False)
        if event.type == "checkpoint" and self._newest_is_checkpoint:
            self._shown.pop().delete()  # of several in a row, the newest says all
        self._newest_is_checkpoint = event.type == "checkpoint"
        with self._list:
            entry = html.li()
        with entry:
            html.span(text).classes({"warning": "warned", "error": "bad"}.get(str(event.data.get("level")), ""))
            if event.at is not None:
                basics.moment(event.at).classes("quiet small")
        entry.move(target_index=0)
        self._shown.append(entry)
        if len(self._shown) > _MOST:
            self._shown.popleft().delete()


def _in_words(event: Event) -> str | None:
    data = event.data
    if event.type == "state":
        return {"running": "A worker has begun", "queued": "Queued"}.get(
            str(data.get("state")), words.named(str(data.get("state")))
        )
    if event.type == "log":
        message = str(data.get("message", ""))
        return message[:1].upper() + message[1:]
    if event.type == "checkpoint":
        return f"Checkpoint at step {data.get('step', 0):,}"
    if event.type == "environment":
        return f"Runs on {data.get('device_name') or data.get('device')}"
    return None
