"""What the commands write: results to standard output, everything else to standard error; no colours and no frames in a pipe."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from rich.cells import cell_len
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
        self._for_people = self.out.is_terminal or color == "always"

    def say(self, message: str) -> None:
        """Tell people something; programs that read JSON do not see it."""
        (self.err if self.as_json else self.out).print(harmless(message), markup=False, soft_wrap=True)

    def note(self, message: str) -> None:
        """Tell people something that is no result."""
        self.err.print(harmless(message), markup=False, soft_wrap=True)

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
        if not self._for_people:
            for row in lines:
                sys.stdout.write("\t".join(row) + "\n")
            return
        # Ids have to stay whole, so that they can be copied: rather than fold columns, a line may be longer than the terminal.
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        if len(lines) == 1:
            self.note("There are none.")
            return
        for number, row in enumerate(lines):
            line = Text(style="bold" if number == 0 else "")
            for cell, width in zip(row, widths, strict=True):
                line.append(cell, _STYLES.get(cell, "")).append(" " * (width - cell_len(cell) + 2))
            line.rstrip()
            self.out.print(line, soft_wrap=True)

    def json(self, document: object) -> None:
        """A JSON document."""
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=None if not sys.stdout.isatty() else 2) + "\n")

    def error(self, error: PretextError | OSError) -> None:
        """One line about what went wrong."""
        self.err.print("Error: ", style="bold red", end="")
        self.err.print(harmless(_told(error)), markup=False, soft_wrap=True)


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
