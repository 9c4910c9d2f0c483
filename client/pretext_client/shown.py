"""Figures and texts as people and terminals like them."""

import math
import unicodedata
from collections.abc import Sequence
from datetime import datetime

_BLOCKS = "▁▂▃▄▅▆▇█"


def bytes_(count: float) -> str:
    """A number of bytes: `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """A time: `0:42`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(time: datetime) -> str:
    """A point in time, on the clock of this machine: `2026-11-02 10:00`."""
    return f"{time.astimezone():%Y-%m-%d %H:%M}"


def spark(values: Sequence[float], width: int = 40) -> str:
    """A curve in one line of text, the smallest value lowest; of more values than fit, each place shows the mean of some."""
    values = [value for value in values if math.isfinite(value)]
    places = min(width, len(values))
    parts = [values[i * len(values) // places : (i + 1) * len(values) // places] for i in range(places)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means, default=0.0), max(means, default=0.0)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)


def outline(found: object) -> str:
    """A JSON value in words: `width (min 32, max 64)`."""
    if isinstance(found, dict):
        inner = {
            key: f"({outline(value)})" if isinstance(value, dict) and value else outline(value) for key, value in found.items()
        }
        return ", ".join(f"{key} {told}" for key, told in inner.items()) or "none"
    if isinstance(found, list):
        return ", ".join(map(outline, found)) or "none"
    if found is None:
        return "none"
    if isinstance(found, bool):
        return "yes" if found else "no"
    return f"{found:,}" if isinstance(found, int) else str(found)


def words(name: object) -> str:
    """A name of the API as people write it: `learning rate`."""
    return str(name).replace("_", " ")


def harmless(text: object) -> str:
    """A text that can do nothing to a terminal: names of files and datasets come from anybody."""
    return "".join(character if character.isprintable() or character == "\n" else _named(character) for character in str(text))


def _named(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    return "\N{REPLACEMENT CHARACTER}"
