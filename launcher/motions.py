"""Clips for trials: a sprite that moves in one of eight ways before a background, while it snows.

The way it moves is the only thing that tells what a clip is: sprites, textures, colours, places and sizes are drawn from the same
distributions for all ways, so that no single frame says anything. The snow falls in all clips, so that each has a natural "up".
"""

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

# T frames, S pixels a side; places and lengths are shares of the side
Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.uint8]

MOTIONS = ("still", "right", "left", "bounce", "clockwise", "counterclockwise", "grow", "shrink")
RATE = 25
_TEXTURE = 24
_FLAKES = 10
_TRAVEL = 0.5
_SMALL, _LARGE = 0.13, 0.26
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Clip:
    """One clip."""

    name: str
    """`clip_00000.mp4` and on; says nothing of the motion."""
    frames: Frames
    """uint8 (T, S, S, 3)."""
    label: int
    """Index of its motion in `MOTIONS`."""


def generate(count: int, seed: int = 0, *, size: int = 64, frames: int = 32, period: int | None = None) -> Iterator[Clip]:
    """Draw clips, the motions as even as their number allows, in random order. The same arguments give the same clips.

    Args:
        count: number of clips.
        seed: of all that varies.
        size: side, in pixels.
        frames: T.
        period: frames that a motion takes from one end to the other, about; T by default.
    """
    labels = np.random.default_rng(seed).permutation(np.arange(count) % len(MOTIONS))
    for number, label in enumerate(labels.tolist()):
        draws = np.random.default_rng([seed, number])
        yield Clip(
            f"clip_{number:05}.mp4", _drawn(draws, MOTIONS[label], size, np.arange(frames) / ((period or frames) - 1)), label
        )


def _drawn(draws: np.random.Generator, motion: str, size: int, time: Floats) -> Frames:
    frames = len(time)
    x, y, angle, scale = _path(draws, motion, time)
    grid = (np.arange(size) + 0.5) / size
    canvas = np.broadcast_to(_smooth(draws, size, 5), (frames, size, size, 3)).copy()
    texture = _smooth(draws, _TEXTURE, 4) * 0.5 + draws.integers(0, 2, 3) * 110 + 10
    corners = int(draws.integers(3, 7))
    turned = draws.uniform(0, 2 * np.pi)
    for frame in range(frames):
        right, down = np.meshgrid(grid - x[frame], grid - y[frame])
        cos, sin = np.cos(angle[frame]), np.sin(angle[frame])
        across, along = (cos * right + sin * down) / scale[frame], (-sin * right + cos * down) / scale[frame]
        share = _inside(across, along, corners, turned, scale[frame] * size)[..., None]
        canvas[frame] = canvas[frame] * (1 - share) + _sampled(texture, across, along) * share
    canvas += _snow(draws, size, time)[..., None]
    return np.clip(canvas + draws.normal(0, 2, canvas.shape), 0, 255).astype(np.uint8)


def _path(draws: np.random.Generator, motion: str, time: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Place, angle and size of the sprite in each frame. Each frame alone has them from the same distributions for all motions."""
    frames = len(time)
    low, high = 0.5 - _TRAVEL / 2, 0.5 + _TRAVEL / 2
    begins, speed = draws.uniform(), draws.uniform(0.8, 1.4)
    swept = (begins + time * speed) % 2  # from one end to the other and, where there are two directions, from the start again
    x = np.full(frames, draws.uniform(low, high))
    thrown = draws.uniform()
    y = np.full(frames, high - _TRAVEL * 4 * thrown * (1 - thrown))
    angle = np.full(frames, draws.uniform(0, 2 * np.pi))
    scale = np.full(frames, draws.uniform(_SMALL, _LARGE))
    if motion == "right":
        x = low + _TRAVEL * (swept % 1)
    elif motion == "left":
        x = high - _TRAVEL * (swept % 1)
    elif motion == "bounce":
        phase = (begins + 2 * time * speed) % 1
        y = high - _TRAVEL * 4 * phase * (1 - phase)
    elif motion == "clockwise":
        angle = angle + 2 * np.pi * time * speed
    elif motion == "counterclockwise":
        angle = angle - 2 * np.pi * time * speed
    elif motion == "grow":
        scale = _SMALL + (_LARGE - _SMALL) * (swept % 1)
    elif motion == "shrink":
        scale = _LARGE - (_LARGE - _SMALL) * (swept % 1)
    return x, y, angle, scale


def _smooth(draws: np.random.Generator, size: int, knots: int) -> Floats:
    """Colours (S, S, 3) that change smoothly."""
    coarse = draws.uniform(20, 200, (knots, knots, 3))
    place = np.linspace(0, knots - 1, size)
    low = np.minimum(place.astype(int), knots - 2)
    share = (place - low)[:, None, None]
    rows = coarse[low] * (1 - share) + coarse[low + 1] * share
    columns: Floats = rows[:, low] * (1 - share[None, :, 0]) + rows[:, low + 1] * share[None, :, 0]
    return columns


def _inside(across: Floats, along: Floats, corners: int, turned: float, pixels: float) -> Floats:
    """How much of each pixel a polygon of radius 1 covers."""
    angle = np.arctan2(along, across) + turned
    wedge = 2 * np.pi / corners
    reach = np.cos(wedge / 2) / np.cos(angle % wedge - wedge / 2)
    covered: Floats = np.clip((reach - np.hypot(across, along)) * pixels + 0.5, 0, 1)
    return covered


def _sampled(texture: Floats, across: Floats, along: Floats) -> Floats:
    """Colours of a texture that covers -1 to 1 each way."""
    rows, columns = (np.clip((place + 1) / 2 * (_TEXTURE - 1), 0, _TEXTURE - 1.001) for place in (along, across))
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    above = texture[top, left] * (1 - right) + texture[top, left + 1] * right
    below = texture[top + 1, left] * (1 - right) + texture[top + 1, left + 1] * right
    sampled: Floats = above * (1 - down) + below * down
    return sampled


def _snow(draws: np.random.Generator, size: int, time: Floats) -> Floats:
    """Brightness (T, S, S) of flakes that fall, each at its own pace, and come in again at the top."""
    x, y = draws.uniform(0, 1, (2, _FLAKES, 1))
    pace = draws.uniform(0.5, 1.0, (_FLAKES, 1))
    grid = (np.arange(size) + 0.5) / size
    heights = (y + pace * time) % 1  # (flakes, T)
    columns = np.exp(-(((grid - x) * size / 1.2) ** 2))  # (flakes, S)
    rows = np.exp(-(((grid - heights[..., None]) * size / 1.2) ** 2))  # (flakes, T, S)
    flakes: Floats = 90 * np.einsum("ftr,fc->trc", rows, columns)
    return flakes


def mp4(frames: Frames, rate: int = RATE) -> bytes:
    """Frames as an H.264 video."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "17", "preset": "veryfast", "threads": "1"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for number, frame in enumerate(frames):
            shown = av.VideoFrame.from_ndarray(frame, format="rgb24")
            shown.pts, shown.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    return buffer.getvalue()


def write_zip(path: Path, clips: Iterable[Clip], *, folders: bool = False) -> None:
    """Write clips as an archive of videos.

    Args:
        path: the archive.
        clips: what goes into it.
        folders: whether each lies in a folder named after its motion; else nothing tells it.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for clip in clips:
            name = f"{MOTIONS[clip.label]}/{clip.name}" if folders else clip.name
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), mp4(clip.frames))
