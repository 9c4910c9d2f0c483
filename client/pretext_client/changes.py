"""Changes of what is on the server, and what lists are narrowed by: the same for all kinds of things."""

from collections.abc import Mapping
from typing import Any

from pretext_client.wire import Call

Notes = Mapping[str, str]
"""Metadata: your own notes, by key."""


def change(path: str, changes: Mapping[str, Any], if_match: str | None = None) -> Call:
    """A request that changes something. It is sent once more where the answer was lost, which changes nothing more."""
    return Call("PATCH", path, headers={} if if_match is None else {"If-Match": if_match}, json=dict(changes))


def narrowed(metadata: Notes | None = None, **given: Any) -> dict[str, Any]:
    """The parameters of a list: those that are given, and a filter for each of the notes."""
    notes = {f"metadata[{key}]": value for key, value in (metadata or {}).items()}
    return {**{name: value for name, value in given.items() if value is not None}, **notes}
