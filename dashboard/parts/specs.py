"""Specs of jobs as names and values, one a line."""

from collections.abc import Mapping, Sequence
from typing import Any


def flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """`{"task": {"name": "gan"}}` as `[("task.name", "gan")]`; what was left out is left out."""
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{before}{name}.")
        elif value is not None:
            found.append((f"{before}{name}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return found


def differing(specs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Names whose values are not all the same, with the value of each; `—` where one has none."""
    each = [dict(flat(spec)) for spec in specs]
    names = dict.fromkeys(name for one in each for name in one)
    rows = [(name, [one.get(name, "—") for one in each]) for name in names]
    return [(name, cells) for name, cells in rows if len(set(cells)) > 1]
