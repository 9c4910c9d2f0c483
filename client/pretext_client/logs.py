"""Logs of jobs, as a text that grows."""

from collections.abc import Iterator
from dataclasses import dataclass

from pretext_client.http import Call, Http


@dataclass(frozen=True)
class LogPart:
    """A part of a job's log."""

    text: str
    start: int
    """Its first byte, counted from the beginning of the log."""
    end: int
    """The byte behind its last."""

    def pieces(self, after: int) -> Iterator[str]:
        """What to show of it behind the byte `after`, with a word for what was thrown away before it."""
        if self.start > after and self.text:
            yield f"[… {self.start - after:,} bytes are not kept any more …]\n"
        if self.text:
            yield self.text


def read(http: Http, path: str, *, after: int = 0, lines: int | None = None) -> LogPart:
    """Read a log from a byte on, or its last lines."""
    with http.stream(Call("GET", f"{path}/logs", {"after": after or None, "lines": lines})) as response:
        text = response.read().decode("utf-8", "replace")
        start, end = (int(response.headers.get(name, 0)) for name in ("log-start", "log-end"))
    return LogPart(text, start, end)
