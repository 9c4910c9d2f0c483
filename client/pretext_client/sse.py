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
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
