"""Server-sent events, taken apart line by line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One event of a stream."""

    type: str
    data: str
    id: str | None
    """None if this event carried none."""


class Reader:
    """Takes a stream apart as it comes. One that breaks off in an event loses that."""

    def __init__(self) -> None:
        self._kept = b""
        self._lines: list[str] = []

    def feed(self, chunk: bytes) -> list[Message]:
        """The events that a piece of the stream completes."""
        *whole, self._kept = (self._kept + chunk).split(b"\n")
        found: list[Message] = []
        for line in whole:
            self._lines.append(_text(line))
            if not self._lines[-1]:
                found += messages(self._lines)
                self._lines = []
        return found


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """Put lines, without their ends, together to events. One that the stream breaks off in is dropped."""
    fields: dict[str, str] = {}
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Message(fields.get("event", "message"), "\n".join(data), fields.get("id"))
            fields, data = {}, []
            continue
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif name:
            fields[name] = value.removeprefix(" ")


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Cut a stream at its line ends alone; text may hold other characters that count as line ends elsewhere."""
    kept = b""
    for chunk in chunks:
        *whole, kept = (kept + chunk).split(b"\n")
        yield from map(_text, whole)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")
