"""A few samples of a dataset, spread over it, and nothing else of it decoded. Torch-free.

N: samples, T: frames of a clip, S: side.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_core.clips import ClipSettings
from ssl_core.dataset import Group, grids_of, groups_of
from ssl_core.errors import UserError
from ssl_core.images import ImageError, decode_square
from ssl_core.spec.clips import clips_in, span_of
from ssl_core.videos import Grid, decode_segments

Pixels = npt.NDArray[np.uint8]


def excerpt(shards: Sequence[Path], size: int, count: int, clips: ClipSettings | None = None) -> Pixels:
    """Decode a few samples, the same ones every time.

    Args:
        shards: the dataset's Parquet files, in order.
        size: S.
        count: N, or as many as there are.
        clips: how videos are cut; needed for a dataset of videos. Of each that is shown, the clip in its middle.

    Returns:
        uint8 (N, S, S, 3), or (N, T, S, S, 3) of clips, of which those in which most moves come first.

    Raises:
        UserError: the dataset cannot be read, or has no video that is long enough.
    """
    groups = groups_of(list(shards))
    if clips is None:
        chosen = _spread(range(sum(group.rows for group in groups)), count)
        return np.stack([_image(groups, number, size) for number in chosen])
    grids = grids_of(list(shards))
    long_enough = [number for number, grid in enumerate(grids) if clips_in(grid.frames, clips.frames, clips.stride)]
    if not long_enough:
        raise UserError("no_data", f"no video of the dataset has the {clips.frames} frames that a clip takes")
    found = [_clip(groups, number, grids[number], clips, size) for number in _spread(long_enough, count)]
    found.sort(key=_motion, reverse=True)
    return np.stack(found)


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """A few of these, each from the middle of a part: neither the first one nor the last, which may be like no other."""
    parts = min(count, len(numbers))
    return [numbers[len(numbers) * (2 * part + 1) // (2 * parts)] for part in range(parts)]


def _group_of(groups: Sequence[Group], number: int) -> tuple[Group, int]:
    group = next(group for group in groups if number < group.first + group.rows)
    return group, number - group.first


def _image(groups: Sequence[Group], number: int, size: int) -> Pixels:
    group, place = _group_of(groups, number)
    try:
        return decode_square(group.content(place), size)
    except ImageError as error:
        raise _damaged("image", number, error) from error


def _clip(groups: Sequence[Group], number: int, grid: Grid, clips: ClipSettings, size: int) -> Pixels:
    group, place = _group_of(groups, number)
    stride = min(clips.stride, (grid.frames - 1) // (clips.frames - 1))
    span = span_of(clips.frames, stride)
    frames = np.empty((span, size, size, 3), np.uint8)
    try:
        decode_segments(group.video(place), grid, [((grid.frames - span) // 2, span)], size, frames)
    except ImageError as error:
        raise _damaged("video", number, error) from error
    return frames[::stride]


def _damaged(what: str, number: int, error: ImageError) -> UserError:
    return UserError("damaged_dataset", f"{what} {number} of the dataset cannot be decoded: {error.reason}")


def _motion(clip: Pixels) -> float:
    """Mean difference between each frame and the next, in levels."""
    return float(np.abs(np.diff(clip.astype(np.int16), axis=0)).mean())
