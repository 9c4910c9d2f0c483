"""Where the clips of a dataset of videos lie among its decoded frames. Torch-free.

C: clips. A clip's window has all the frames that it may begin at; where it does is drawn anew each time it is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ssl_core.spec.clips import clips_in, span_of

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClipSettings:
    """How videos are cut."""

    frames: int
    """Frames that are taken of a video for one sample; some tasks make several clips of them."""
    stride: int
    """From one of them to the next, in frames of the video."""
    most: int | None = None
    """Most clips of one video; None: as many as fit."""


class Segment(NamedTuple):
    """A piece of a video that is decoded."""

    first: int
    """Its first frame."""
    frames: int
    clips: int
    """How many clips lie in it, beside each other."""


@dataclass(frozen=True)
class ClipTable:
    """The clips of a dataset."""

    frames: int
    """Frames of each."""
    lowest: Integers
    """int64 (C,): the first decoded frame that each may begin at."""
    choices: Integers
    """int64 (C,): at how many frames from there on it may begin."""
    strides: Integers
    """int64 (C,): from one of its frames to the next."""
    videos: Integers
    """int64 (C,): number of its video in the dataset."""

    def __len__(self) -> int:
        return len(self.lowest)


def segments_of(frames: int, settings: ClipSettings) -> list[Segment]:
    """The pieces of a video that are decoded: all of it, or one for each clip if there may be fewer clips than fit."""
    count = clips_in(frames, settings.frames, settings.stride, settings.most)
    if not count:
        return [] if settings.most is not None else [Segment(0, frames, 0)]
    if count == clips_in(frames, settings.frames, settings.stride):
        return [Segment(0, frames, count)]
    part = frames / count
    length = min(2 * span_of(settings.frames, settings.stride), int(part))
    return [Segment(int(part * number + (part - length) / 2), length, 1) for number in range(count)]


def clip_table(videos: Sequence[Sequence[Segment]], settings: ClipSettings) -> ClipTable:
    """Find the clips of a dataset, whose segments lie behind each other, those of the first video first."""
    rows: list[tuple[int, int, int, int]] = []
    place = 0
    for number, segments in enumerate(videos):
        for segment in segments:
            if not segment.clips:
                place += segment.frames
                continue
            stride = min(settings.stride, (segment.frames - 1) // (settings.frames - 1))
            starts = segment.frames - span_of(settings.frames, stride) + 1
            edges = [starts * clip // segment.clips for clip in range(segment.clips + 1)]
            rows += [(place + low, high - low, stride, number) for low, high in pairwise(edges)]
            place += segment.frames
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return ClipTable(settings.frames, *(np.ascontiguousarray(column) for column in columns))
