"""Figures of a task from `benchmarks/LOG.md`, each table with its entry's date and device."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docs.generators.schema import table
from docs.pictures import SENTENCE

LOG = Path(__file__).parents[2] / "benchmarks" / "LOG.md"


@dataclass(frozen=True)
class Measured:
    """A table of the log that has rows for single tasks."""

    entry: str
    """Heading of its entry: date, subject, device."""
    anchor: str
    """Of that heading on the page of the log."""
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@cache
def measured() -> tuple[Measured, ...]:
    """Every table of the log that has a column `task`."""
    return tuple(one for entry in re.split(r"^## ", LOG.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:] for one in _of(entry))


def _of(entry: str) -> Iterator[Measured]:
    heading, _, body = entry.partition("\n")
    for block in re.findall(r"(?:^\|.*\n?)+", body, flags=re.MULTILINE):
        lines = [tuple(part.strip() for part in line.strip().strip("|").split("|")) for line in block.strip().splitlines()]
        if "task" in lines[0]:
            yield Measured(heading, anchor(heading), lines[0], tuple(lines[2:]))


def anchor(heading: str) -> str:
    """What Python-Markdown makes of a heading for links."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def of_task(name: str) -> str:
    """What was measured of a task, or that nothing was."""
    parts = []
    for one in measured():
        place = one.head.index("task")
        rows = [row for row in one.rows if row[place] == name]
        used = [column for column in range(len(one.head)) if column != place and any(row[column] for row in rows)]
        if rows:
            shown = table([one.head[column] for column in used], [[row[column] for column in used] for row in rows])
            parts.append(f"From [{one.entry}](../benchmarks.md#{one.anchor}):\n\n{shown}")
    return "\n".join(parts) or "Nothing was measured of it yet.\n"


def labels_saved_sentence() -> str:
    """What the report says whose plot is shown beside it."""
    return f"> {SENTENCE.read_text(encoding='utf-8').strip()}\n"
