"""Which member of a dataset a name means: its whole path in the archive, or the end of it that no other member has."""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_core.ingest.names import parts_of, printable

_BEHIND_ALL = "\U0010ffff"
_NEIGHBOURS = 20
_ALIKE = 0.6
_SHOWN = 2


@dataclass(frozen=True)
class Match:
    """What came of a name."""

    row: int
    """Place of the member in the dataset; -1 if there is none."""
    how: str
    """`path`: the member's whole name. `end`: the end of it. `longer`: the member's whole name is the end of the one given."""
    ambiguous: str = ""
    """Why it is not clear which member is meant."""


class Members:
    """The names of a dataset's members, turned round and sorted: names that end alike lie beside each other.

    Args:
        paths: the names, in order.
    """

    def __init__(self, paths: Iterable[pa.Array]) -> None:
        turned = [_turned(path) for chunk in paths for path in chunk.to_pylist()]
        order = sorted(range(len(turned)), key=turned.__getitem__)
        self._keys = [turned[row] for row in order]
        self._rows: npt.NDArray[np.int64] = np.array(order, np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, name: str) -> Match:
        """The member that a name means. The whole path goes before the end of one."""
        key = _turned(name)
        low = bisect_left(self._keys, key)
        high = low
        if low < len(self._keys) and self._keys[low].startswith(key) and key:
            high = bisect_left(self._keys, key + _BEHIND_ALL, low)
        whole = bisect_left(self._keys, key + "\0", low, high) if high > low else low
        if whole - low == 1 or high - low == 1:
            return Match(int(self._rows[low]), "path" if whole > low else "end")
        if whole > low:
            return Match(-1, "", f"ambiguous: {whole - low} files have this very name")
        if high > low:
            shown = " and ".join(_path(self._keys[place]) for place in range(low, low + _SHOWN))
            return Match(-1, "", f"ambiguous: {high - low} files end so, such as {shown}")
        return self._within(key)

    def _within(self, key: str) -> Match:
        """The member whose whole path is the end of a longer name, such as one that begins at the root of somebody's disk."""
        parts = key.split("/")[:-1]
        for count in range(len(parts) - 1, 0, -1):
            shorter = "/".join(parts[:count]) + "/"
            place = bisect_left(self._keys, shorter)
            if self._is(place, shorter):
                if self._is(place + 1, shorter):
                    return Match(-1, "", f"ambiguous: several files are called {_path(shorter)}")
                return Match(int(self._rows[place]), "longer")
        return Match(-1, "")

    def _is(self, place: int, key: str) -> bool:
        return place < len(self._keys) and self._keys[place] == key

    def path(self, row: int) -> str:
        """Name of a member. Slow: for a few."""
        return _path(self._keys[int(np.flatnonzero(self._rows == row)[0])])

    def nearest(self, names: Sequence[str]) -> list[str | None]:
        """For each of a few names that no member has, the member that is most like it; None if none is much like it."""
        wanted: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            wanted.setdefault(_stem(_turned(name)), []).append(number)
        candidates: list[list[str]] = [[] for _ in names]
        for key in self._keys:
            for number in wanted.get(_stem(key), ()):
                if len(candidates[number]) < _NEIGHBOURS:
                    candidates[number].append(key)
        found = []
        for name, alike in zip(names, candidates, strict=True):
            key = _turned(name)
            place = bisect_left(self._keys, key)
            found.append(_most_like(key, alike or self._keys[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]))
        return found


def _most_like(key: str, candidates: Sequence[str]) -> str | None:
    # Folders count less than the file's own name: it stands first in a key.
    stem = _stem(key)
    likeness = [
        (SequenceMatcher(None, stem, _stem(one)).ratio(), SequenceMatcher(None, key, one).ratio(), one) for one in candidates
    ]
    best = max(likeness, default=None)
    return _path(best[2]) if best is not None and best[0] >= _ALIKE else None


def _turned(name: str) -> str:
    """`1.jpg/cat/` of `cat/1.jpg`. Names are stored as they can be shown, and accents are written in one way."""
    if not name.isascii():
        name = unicodedata.normalize("NFC", printable(name))
    elif not name.isprintable() or len(name) > 500:
        name = printable(name)
    parts = parts_of(name)
    return "/".join(reversed(parts)) + "/" if parts else ""


def _path(key: str) -> str:
    return "/".join(reversed(key.split("/")[:-1]))


def _stem(key: str) -> str:
    """The file's own name without its suffix, in small letters."""
    own = key.partition("/")[0]
    return (own.rpartition(".")[0] or own).casefold()
