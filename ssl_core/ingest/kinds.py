"""Whether a set is of images or of videos, guessed from its content.

Videos are known by their first bytes. Numbered images may be the frames of clips, or just numbered: frames that follow each other
are far more alike than images of different folders.
"""

import re
from collections import Counter
from itertools import combinations
from statistics import median
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ssl_core.images import ImageError, decode_rgb
from ssl_core.ingest.entries import Entry
from ssl_core.ingest.labels import IMAGE_SUFFIXES
from ssl_core.ingest.names import parts_of
from ssl_core.videos import MAX_PIXELS, SUFFIXES, is_video

Kind = Literal["image", "video"]
_AMBIGUOUS = (".gif", ".webp")
_PROBED = 32
"""Files without a telling name that are looked into."""
_FOLDERS, _PAIRS = 12, 6
"""Folders whose first images are compared, and how many pairs in each."""
_THUMBNAIL = 16
_ALIKE = 0.35
"""How much less neighbours differ than images of different folders, to be frames."""
_FEWEST_FRAMES = 4
_MOSTLY = 0.9
_NUMBER = re.compile(r"(\d+)(?!.*\d)")


class Place(NamedTuple):
    """Where a frame belongs."""

    folder: tuple[str, ...]
    number: int


def place_of(name: str) -> Place | None:
    """The folder of a numbered file and its number, the last one in its name; None if it has none."""
    *folder, own = parts_of(name) or ("",)
    found = _NUMBER.search(own.rpartition(".")[0] or own)
    return Place(tuple(folder), int(found[1])) if found else None


class Guess:
    """Looks at the members of a set as they go by."""

    def __init__(self) -> None:
        self.videos = 0
        self.images = 0
        self._bytes: Counter[Kind] = Counter()
        self._probed: Counter[str] = Counter()
        self._moving: Counter[str] = Counter()
        self._numbered: Counter[tuple[str, ...]] = Counter()
        self._last: Place | None = None
        self._near: list[float] = []
        self._firsts: dict[tuple[str, ...], npt.NDArray[np.float32]] = {}
        self._compared: Counter[tuple[str, ...]] = Counter()
        self._previous: npt.NDArray[np.float32] | None = None

    def add(self, entry: Entry) -> None:
        """Count a member in. May read it, so its source has not to be past it."""
        suffix = _suffix(entry.name)
        unnamed = "." not in entry.name
        if suffix in SUFFIXES or ((unnamed or suffix in _AMBIGUOUS) and self._moves(entry, suffix)):
            self._count("video", entry)
        elif suffix in IMAGE_SUFFIXES or unnamed:
            self._count("image", entry)
            self._compare(entry)

    def _count(self, kind: Kind, entry: Entry) -> None:
        self._bytes[kind] += entry.size
        if kind == "video":
            self.videos += 1
        else:
            self.images += 1

    def _moves(self, entry: Entry, suffix: str) -> bool:
        """Whether a member is a video: looked up for the first ones of a suffix, taken from them for the rest."""
        if self._probed[suffix] < _PROBED:
            self._probed[suffix] += 1
            try:
                moves = is_video(entry.read())
            except ImageError:
                moves = False
            self._moving[suffix] += moves
            return moves
        return 2 * self._moving[suffix] > self._probed[suffix]

    def _compare(self, entry: Entry) -> None:
        place = place_of(entry.name)
        if place is None:
            self._last = None
            return
        self._numbered[place.folder] += 1
        if place.folder not in self._firsts and len(self._firsts) >= _FOLDERS:
            return
        if self._compared[place.folder] >= _PAIRS:
            return
        small = _small(entry)
        if small is None:
            self._last = None
            return
        self._firsts.setdefault(place.folder, small)
        if self._last == Place(place.folder, place.number - 1) and self._previous is not None:
            self._near.append(float(np.abs(small - self._previous).mean()))
            self._compared[place.folder] += 1
        self._last, self._previous = place, small

    def kind(self) -> Kind:
        """What the set is."""
        if self._bytes["video"] > self._bytes["image"] or (self.videos and not self.images) or self._are_frames():
            return "video"
        return "image"

    def _are_frames(self) -> bool:
        in_clips = sum(count for count in self._numbered.values() if count >= _FEWEST_FRAMES)
        if len(self._firsts) < 2 or in_clips < _MOSTLY * max(1, self.images) or len(self._near) < _FEWEST_FRAMES:
            return False
        far = [float(np.abs(one - other).mean()) for one, other in combinations(self._firsts.values(), 2)]
        return median(self._near) < _ALIKE * median(far)


def _small(entry: Entry) -> npt.NDArray[np.float32] | None:
    try:
        image = decode_rgb(entry.read(), target=_THUMBNAIL, max_pixels=MAX_PIXELS)  # a larger one is no frame
    except ImageError:
        return None
    return np.asarray(image.resize((_THUMBNAIL, _THUMBNAIL)), np.float32)


def _suffix(name: str) -> str:
    _, dot, suffix = name.lower().rpartition(".")
    return dot + suffix if dot else ""
