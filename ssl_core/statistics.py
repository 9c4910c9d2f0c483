"""What a dataset's pixels say about the pretext tasks that it suits. Torch-free.

N: images or frames, C: clips, T: frames of a clip, S: side.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ssl_core.clips import ClipTable
    from ssl_core.spec.tasks.base import Concern

_LOOKED_AT = 512
_GRAY_LEVELS = 12
"""Largest difference between an image's channels, in levels of 255, that is noise of its compression and no colour."""
_FLAT_LEVELS = 3
"""Standard deviation of the brightness, in levels of 255, below which an image shows nothing."""
_LINE_LEVELS = 2
"""Standard deviation along an image's edge, in levels of 255, below which the edge is a border and no picture."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_THUMBNAIL = 8
_CELLS, _DIRECTIONS = 4, 8
_RIDGE = 0.1
_STILL_LEVELS = 4
"""Largest change of the brightness anywhere in a clip, in levels of 255, that is noise and no motion."""
_STILL_CELLS = 8
_MOMENTS = 3
_SPEAKS_UP = 0.2
_ENLARGED = 1.5

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Statistics:
    """Findings over a sample of a dataset."""

    images: int
    """Number of images, or clips, in the dataset."""
    enlarged: float
    """Side of the images as they are decoded, relative to the median side of their originals."""
    gray_share: float
    """Share of the images without colour."""
    flat_share: float
    """Share of the images that are one even area."""
    border_share: float
    """Share of the images with an even line along some of their edges, but not along all."""
    turn_accuracy: float
    """Accuracy, chance 0.25, with which brightness, colours and edges alone tell quarter turns, on images that were not learned."""
    turn_error: float
    """Standard error of that, if it were chance."""
    still_share: float | None = None
    """Share of the clips in which nothing moves; None if the dataset has images."""

    def gray(self, consequence: str, *, fatal_from: float) -> "list[Concern]":
        """Whether there are images without colour, and what that means for a task. Fatal, if their share is so high."""
        told = f"{self.gray_share:.0%} of the images are grey: {consequence}; take colour images, or another task such as rotation"
        return _concern(told, self.gray_share, fatal_from=fatal_from)

    def flat(self, consequence: str) -> "list[Concern]":
        """Whether there are images that show nothing."""
        told = f"{self.flat_share:.0%} of the images are one even area: {consequence} in them; take them out of the dataset"
        return _concern(told, self.flat_share, fatal_from=0.95)

    def borders(self, consequence: str) -> "list[Concern]":
        """Whether there are images with visible borders."""
        told = f"{self.border_share:.0%} of the images have an even border at some of their edges: {consequence}; crop it off"
        return _concern(told, self.border_share)

    def no_up(self, consequence: str) -> "list[Concern]":
        """Whether it seems that the images have no up."""
        hint = (
            f"brightness, colours and edges tell the images' quarter turns with {self.turn_accuracy:.0%} accuracy only, where "
            f"guessing has 25%: if these images have no up (textures, cells, photographs from above), {consequence}; "
            "try simclr or jigsaw"
        )
        return _concern(hint, 1.0 if self.turn_accuracy < 0.25 + 2.5 * self.turn_error else 0.0)

    def upscaled(self, consequence: str) -> "list[Concern]":
        """Whether the images are shown much larger than they are."""
        told = f"the images are shown {self.enlarged:.1f} times as large as most of them are: {consequence}; lower `image_size`"
        return _concern(told, 1.0 if self.enlarged > _ENLARGED else 0.0)

    def few(self, enough: int, consequence: str) -> "list[Concern]":
        """Whether there are fewer images, or clips, than a task wants."""
        what = "images" if self.still_share is None else "clips"
        told = f"the dataset has {self.images:,} {what}, and this task wants at least {enough:,}: {consequence}"
        return _concern(told, 1.0 if self.images < enough else 0.0)

    def still(self, consequence: str) -> "list[Concern]":
        """Whether there are clips in which nothing moves. Fatal, if there are hardly any others."""
        share = self.still_share or 0.0
        told = f"in {share:.0%} of the clips nothing moves: {consequence}; raise `frame_stride`, or take them out of the dataset"
        return _concern(told, share, fatal_from=0.98)


def _concern(message: str, share: float, *, fatal_from: float = 2.0) -> "list[Concern]":
    from ssl_core.spec.tasks.base import Concern

    return [Concern(message, fatal=share >= fatal_from)] if share >= _SPEAKS_UP else []


def statistics_of(images: Images, median_side: int, clips: "ClipTable | None" = None) -> Statistics:
    """Look at up to 512 images or clips, spread over the dataset.

    Args:
        images: uint8 (N, S, S, 3).
        median_side: median of the originals' shorter sides, in pixels.
        clips: where the clips lie, if the images are frames; then a frame of each clip is looked at.
    """
    count = len(images) if clips is None else len(clips)
    chosen = np.linspace(0, count - 1, min(_LOOKED_AT, count)).astype(np.int64)
    still = None
    if clips is not None:
        moments = _moments(clips, chosen)
        still = float(np.mean([_is_still(images[frames]) for frames in moments]))
        chosen = moments[:, 0]
    sample = np.stack([_small(images[index]) for index in chosen])
    luma = sample @ _LUMA
    turns, error = _turn_accuracy(sample, luma)
    return Statistics(
        images=count,
        enlarged=images.shape[1] / median_side,
        gray_share=float(np.mean(np.quantile(np.ptp(sample, axis=3).reshape(len(sample), -1), 0.99, axis=1) <= _GRAY_LEVELS)),
        flat_share=float(np.mean(luma.reshape(len(luma), -1).std(axis=1) < _FLAT_LEVELS)),
        border_share=float(np.mean([_has_border(images[index]) for index in chosen])),
        turn_accuracy=turns,
        turn_error=error,
        still_share=still,
    )


def _moments(clips: "ClipTable", chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Frames at the beginning, in the middle and at the end of some clips, (len(chosen), 3)."""
    first = clips.lowest[chosen] + clips.choices[chosen] // 2
    places = np.linspace(0, clips.frames - 1, _MOMENTS).astype(np.int64)
    return first[:, None] + clips.strides[chosen][:, None] * places


def _is_still(frames: Images) -> bool:
    """Whether nothing moves: no cell of 8 x 8 changes its mean brightness between frames (M, S, S, 3)."""
    side = frames.shape[1]
    cells = min(_STILL_CELLS, side)
    fits = side - side % cells
    luma = frames[:, :fits, :fits].astype(np.float32) @ _LUMA
    means = luma.reshape(len(frames), cells, fits // cells, cells, fits // cells).mean((2, 4))
    return float(np.ptp(means, axis=0).max()) < _STILL_LEVELS


def _small(image: Images) -> Floats:
    """Every so many pixels of an image, so that none is larger than 64 px."""
    step = max(1, image.shape[0] // 64)
    return image[::step, ::step].astype(np.float32)


def _has_border(image: Images) -> bool:
    edges = (image[0], image[-1], image[:, 0], image[:, -1])
    even = [float(edge.astype(np.float32).std(axis=0).max()) < _LINE_LEVELS for edge in edges]
    return any(even) and not all(even)


def _turn_accuracy(sample: Floats, luma: Floats) -> tuple[float, float]:
    """Accuracy of a ridge classifier of quarter turns on images that it was not fitted to, and its standard error at chance."""
    count = len(sample)
    if count < 40 or sample.shape[1] < _THUMBNAIL:
        return 1.0, 0.0  # too few to say
    features = np.stack([_features(np.rot90(sample, turn, (1, 2)), np.rot90(luma, turn, (1, 2))) for turn in range(4)])  # (4, N, F)
    right = 0.0
    for fitted, asked in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        right += _ridge_hits(features[:, fitted], features[:, asked])
    # The four turns of an image are not independent; counting images, not turns, is on the safe side.
    return right / (4 * count), float(np.sqrt(0.25 * 0.75 / count))


def _ridge_hits(fitted: Floats, asked: Floats) -> int:
    length = fitted.shape[2]
    inputs = fitted.reshape(-1, length)
    mean, scale = inputs.mean(0), inputs.std(0) + 1e-3
    inputs = (inputs - mean) / scale
    wanted = np.repeat(np.eye(4, dtype=np.float32), fitted.shape[1], axis=0) - 0.25
    gram = inputs.T @ inputs
    gram[np.diag_indices(length)] += _RIDGE * len(inputs)
    weights = np.linalg.solve(gram, inputs.T @ wanted)
    answers = ((asked.reshape(-1, length) - mean) / scale) @ weights
    return int((answers.argmax(1) == np.repeat(np.arange(4), asked.shape[1])).sum())


def _features(images: npt.NDArray[np.float32], luma: npt.NDArray[np.float32]) -> Floats:
    """Thumbnails, and for each of 4 x 4 cells how strong the edges are in each of 8 directions. (N, F)."""
    count, side = len(images), images.shape[1]
    fits = side - side % _THUMBNAIL
    cell = fits // _THUMBNAIL
    thumbnails = images[:, :fits, :fits].reshape(count, _THUMBNAIL, cell, _THUMBNAIL, cell, 3).mean((2, 4)) / 255
    across = np.zeros_like(luma)
    down = np.zeros_like(luma)
    across[:, :, 1:-1] = luma[:, :, 2:] - luma[:, :, :-2]
    down[:, 1:-1] = luma[:, 2:] - luma[:, :-2]
    strength = np.hypot(across, down)
    direction = ((np.arctan2(down, across) / (2 * np.pi) + 0.5) * _DIRECTIONS).astype(np.int64) % _DIRECTIONS
    cell = fits // _CELLS
    edges = np.stack(
        [
            (strength * (direction == number))[:, :fits, :fits].reshape(count, _CELLS, cell, _CELLS, cell).mean((2, 4))
            for number in range(_DIRECTIONS)
        ],
        3,
    )
    edges /= edges.sum((1, 2, 3), keepdims=True) + 1e-3
    return np.concatenate([thumbnails.reshape(count, -1), edges.reshape(count, -1) * 4], 1)
