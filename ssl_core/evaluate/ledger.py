"""What an evaluation has found so far, so that one that is interrupted does not begin anew. JSON alone."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ssl_core.errors import InterruptedRun
from ssl_core.events import Events, Ticker
from ssl_core.process import StopRequest

_PATTERN = "found-*.json"
KEPT = 2
"""The one before the newest stays, in case the newest turns out to be damaged."""


class Ledger:
    """Results by name, each found once.

    Args:
        folder: where it is written down, and where an earlier attempt's is looked for.
        about: what the results depend on; those of anything else are not taken up.
        total: how many results there will be.
        events: told of the progress, and of each file that is written.
        stop: looked at before each result is found.
        seconds: between two files.
    """

    def __init__(self, folder: Path, about: Any, total: int, events: Events, stop: StopRequest, *, seconds: float) -> None:
        self._folder, self._about, self._total = folder, json.loads(json.dumps(about)), total
        self._events, self._stop = events, stop
        self._ticker = Ticker(seconds)
        self._found: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob(_PATTERN), reverse=True):
            if self._take_up(path):
                events.emit(
                    "log", level="info", message=f"goes on with {len(self._found)} of {total} results that were found before"
                )
                break
        self._written = len(self._found)

    def find(self, name: str, find: Callable[..., Any], *given: Any) -> Any:
        """The result of this name: as it was found before, or found now by calling `find`. It has to be what JSON can say.

        Raises:
            InterruptedRun: it was asked to stop. What was found is written down.
        """
        if name not in self._found:
            try:
                self._found[name] = self._find(find, given)
            except InterruptedRun:
                self._write()
                raise
            if self._ticker.due():
                self._write()
            self._events.emit("progress", phase="evaluate", done=len(self._found), total=self._total, unit="results")
        return self._found[name]

    def _find(self, find: Callable[..., Any], given: tuple[Any, ...]) -> Any:
        if self._stop:
            raise InterruptedRun
        return json.loads(json.dumps(find(*given)))

    def _take_up(self, path: Path) -> bool:
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["about"] != self._about:
                return False
            self._found = dict(kept["found"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return True

    def _write(self) -> None:
        if len(self._found) == self._written:
            return
        path = self._folder / f"found-{len(self._found):09}.json"
        partial = path.with_name(f".{path.name}.new")
        with partial.open("w", encoding="utf-8") as file:
            json.dump({"about": self._about, "found": self._found}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        self._written = len(self._found)
        for old in sorted(self._folder.glob(_PATTERN))[:-KEPT]:
            old.unlink(missing_ok=True)
        self._events.emit("checkpoint", step=self._written, path=str(path))
