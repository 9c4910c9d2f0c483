"""What the commands write: results to standard output, everything else to standard error; no colours and no frames in a pipe."""

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from pretext_client.errors import ApiError, PretextError
from pretext_client.shown import harmless
from pretext_client.types import Value

Color = Literal["auto", "always", "never"]
_STYLES = {
    **dict.fromkeys(("succeeded", "ready", "alive"), "green"),
    **dict.fromkeys(("failed", "lost", "revoked"), "red"),
    **dict.fromkeys(("running", "ingesting"), "cyan"),
    **dict.fromkeys(("paused", "pausing", "cancelling", "queued"), "yellow"),
    "cancelled": "dim",
}
"""Of states, in tables."""
_GAP = 2
_COMMAND = "pretext "
_SENTENCE = 24
"""Columns of a terminal: what is longer and has spaces is a sentence, and may be cut to this."""


class Output:
    """Writes results and messages.

    Args:
        as_json: results are JSON, one document a command, with all that the server answered.
        color: `auto`: on a terminal, unless `NO_COLOR` is set.
    """

    def __init__(self, *, as_json: bool, color: Color = "auto") -> None:
        self.as_json = as_json
        settings: dict[str, Any] = {"highlight": False}
        if color == "never":
            settings["no_color"] = True
        elif color == "always":
            settings |= {"no_color": False, "color_system": "256"}
        self.out = Console(**settings)
        self.err = Console(stderr=True, **settings)
        self.for_people = self.out.is_terminal or color == "always"

    def say(self, message: str, *, wrapped: bool = True) -> None:
        """Tell people something; programs that read JSON do not see it."""
        console = self.err if self.as_json else self.out
        text = harmless(message)
        console.print(_wrapped(text, console) if wrapped else text, markup=False, soft_wrap=True)

    def note(self, message: str) -> None:
        """Tell people something that is no result."""
        self.err.print(_wrapped(harmless(message), self.err), markup=False, soft_wrap=True)

    def value(self, found: Value, text: str) -> None:
        """A result: as a text, or in full as JSON."""
        if self.as_json:
            self.json(found.raw)
        else:
            self.say(text)

    def table(self, columns: Sequence[str], values: Iterable[Value], rows: Iterable[Sequence[Any]]) -> None:
        """A list: as a table, as lines with tabs in a pipe, or in full as JSON."""
        if self.as_json:
            self.json([found.raw for found in values])
            return
        cells = [["" if cell is None else harmless(cell) for cell in row] for row in rows]
        lines = [[cell.replace("\n", " ") for cell in row] for row in [list(columns), *cells]]
        if not self.for_people:
            for row in lines:
                sys.stdout.write("\t".join(row) + "\n")
            return
        if len(lines) == 1:
            self.note("There are none.")
            return
        widths, dropped = _widths(lines, self.out.width)
        for number, row in enumerate(lines):
            line = Text(style="bold" if number == 0 else "")
            for cell, width in zip(row, widths, strict=False):
                shown = cell if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…"
                line.append(shown, _STYLES.get(cell, "")).append(" " * (width - cell_len(shown) + _GAP))
            line.rstrip()
            self.out.print(line, soft_wrap=True)
        if dropped:
            self.err.print(f"No room for: {', '.join(dropped)}. A wider terminal, a pipe or --json has all.", style="dim")

    def json(self, document: object) -> None:
        """A JSON document."""
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=None if not sys.stdout.isatty() else 2) + "\n")

    def error(self, error: PretextError | OSError) -> None:
        """One line about what went wrong."""
        self.err.print("Error: ", style="bold red", end="")
        self.err.print(harmless(_told(error)), markup=False, soft_wrap=True)


def _widths(lines: list[list[str]], room: int) -> tuple[list[int], list[str]]:
    """Widths of the columns that fit into a terminal, and the names of those that do not.

    Ids and figures stay whole, so that they can be copied. Sentences are cut; if that is not enough, the last columns are left out.
    """
    columns = list(zip(*lines, strict=True))
    whole = [max(map(cell_len, column)) for column in columns]
    least = [max([min(width, _SENTENCE), *_words(column)]) for width, column in zip(whole, columns, strict=True)]
    kept = len(columns)
    while kept > 1 and sum(least[:kept]) + _GAP * (kept - 1) > room:
        kept -= 1
    left = room - sum(least[:kept]) - _GAP * (kept - 1)
    widths = []
    for width, narrow in zip(whole[:kept], least, strict=False):
        widths.append(narrow + min(max(left, 0), width - narrow))
        left -= widths[-1] - narrow
    return widths, [column[0] for column in columns[kept:]]


def _words(cells: Iterable[str]) -> Iterator[int]:
    """Widths of cells that are no sentences."""
    return (cell_len(cell) for cell in cells if " " not in cell or cell_len(cell) <= _SENTENCE)


def _wrapped(message: str, console: Console) -> str:
    """A message for a terminal, its lines broken between words. Commands stay in one line, so that they can be copied."""
    if not console.is_terminal:
        return message
    return "\n".join(line if _COMMAND in line else _folded(line, console.width) for line in message.split("\n"))


def _folded(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _told(error: PretextError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    told = str(error)
    if isinstance(error, ApiError):
        if error.param and error.param not in error.detail:
            told += f" ({error.param})"
        if error.status >= 500 and error.request_id:
            told += f" [request {error.request_id}]"
    return told
