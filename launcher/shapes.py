"""Pictures for the demo: ten kinds of things with a natural "up", in varying colour, texture, place, size and background.

Only the outline tells what a thing is: colours, textures and backgrounds are drawn from the same distributions for all kinds, so
that comparing pixels says little, and a network that has learned how things stand upright says more.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

# N images, S pixels a side, K points of an outline
Floats = npt.NDArray[np.float64]
Outline = Floats  # [K, 2], x to the right and y up, both about -1 to 1
Part = tuple[int, Outline]
"""An outline and the paint it gets: 0 takes away what is there, 1 and 2 are the two paints of an image."""

_OVERSAMPLED = 3
_EPOCH = (1980, 1, 1, 0, 0, 0)


def _polygon(*points: tuple[float, float]) -> Outline:
    return np.array(points, dtype=float)


def _box(left: float, bottom: float, right: float, top: float) -> Outline:
    return _polygon((left, bottom), (right, bottom), (right, top), (left, top))


def _oval(x: float, y: float, width: float, height: float, begin: float = 0, end: float = 360) -> Outline:
    """An oval around (x, y) with these half axes, or the part of it between two angles in degrees."""
    angles = np.radians(np.linspace(begin, end, 25))
    return np.stack([x + width * np.cos(angles), y + height * np.sin(angles)], axis=1)


KINDS: dict[str, list[Part]] = {
    "house": [
        (1, _box(-0.7, -0.9, 0.7, 0.15)),
        (2, _polygon((-0.95, 0.15), (0.95, 0.15), (0, 0.95))),
        (2, _box(-0.2, -0.9, 0.2, -0.3)),
    ],
    "tree": [
        (2, _box(-0.14, -0.95, 0.14, -0.4)),
        (1, _polygon((-0.8, -0.45), (0.8, -0.45), (0, 0.35))),
        (1, _polygon((-0.6, 0.05), (0.6, 0.05), (0, 0.95))),
    ],
    "arrow": [(2, _box(-0.25, -0.95, 0.25, 0.1)), (1, _polygon((-0.8, 0.05), (0.8, 0.05), (0, 0.95)))],
    "cup": [
        (2, _oval(0.6, 0.1, 0.38, 0.4)),
        (0, _oval(0.6, 0.1, 0.2, 0.22)),
        (1, _polygon((-0.75, 0.8), (0.6, 0.8), (0.4, -0.8), (-0.55, -0.8))),
    ],
    "mushroom": [(2, _polygon((-0.2, 0.1), (0.2, 0.1), (0.35, -0.95), (-0.35, -0.95))), (1, _oval(0, 0, 0.95, 0.9, 0, 180))],
    "face": [
        (1, _oval(0, 0, 0.9, 0.95)),
        (2, _oval(-0.35, 0.3, 0.16, 0.2)),
        (2, _oval(0.35, 0.3, 0.16, 0.2)),
        (2, _oval(0, -0.2, 0.5, 0.5, 180, 360)),
    ],
    "car": [
        (1, _box(-0.98, -0.4, 0.98, 0.1)),
        (1, _polygon((-0.65, 0.1), (0.55, 0.1), (0.3, 0.6), (-0.45, 0.6))),
        (2, _oval(-0.5, -0.45, 0.26, 0.26)),
        (2, _oval(0.5, -0.45, 0.26, 0.26)),
    ],
    "lamp": [
        (2, _box(-0.08, -0.8, 0.08, 0.2)),
        (2, _box(-0.5, -0.95, 0.5, -0.75)),
        (1, _polygon((-0.75, 0.1), (0.75, 0.1), (0.35, 0.95), (-0.35, 0.95))),
    ],
    "boat": [
        (1, _polygon((-0.95, -0.35), (0.95, -0.35), (0.6, -0.85), (-0.6, -0.85))),
        (2, _polygon((-0.02, -0.2), (0.75, -0.2), (-0.02, 0.95))),
        (2, _polygon((-0.14, -0.2), (-0.6, -0.2), (-0.14, 0.7))),
    ],
    "umbrella": [
        (2, _box(-0.06, -0.75, 0.06, 0.3)),
        (2, _oval(0.16, -0.75, 0.22, 0.2, 180, 360)),
        (0, _oval(0.16, -0.75, 0.1, 0.09, 180, 360)),
        (1, _oval(0, 0.1, 0.95, 0.8, 0, 180)),
    ],
}
"""Name and outlines of each kind, drawn one over the other."""


def generate(
    count: int = 2000, seed: int = 0, size: int = 32
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], tuple[str, ...]]:
    """Draw pictures. The same arguments give the same pictures.

    Args:
        count: number of pictures; the kinds are as even as it allows, in random order.
        seed: of all that varies.
        size: side, in pixels.

    Returns:
        images: (N, S, S, 3), RGB.
        labels: (N,), index of each picture's kind.
        names: of the kinds.
    """
    draws = np.random.default_rng(seed)
    names = tuple(KINDS)
    labels = draws.permutation(np.arange(count) % len(names))
    masks = _masks([KINDS[names[label]] for label in labels], draws, size)  # [N, 2, S, S]
    backs, *paints = _paints(draws, count, size)
    images = backs
    for number, paint in enumerate(paints):
        share = masks[:, number, :, :, None]
        images = images * (1 - share) + paint * share
    images += draws.normal(0, 4, images.shape)
    return np.clip(images, 0, 255).astype(np.uint8), labels.astype(np.int64), names


def write_zip(path: Path, images: npt.NDArray[np.uint8], names: Sequence[str] | None = None) -> None:
    """Write pictures (N, S, S, 3) as PNGs to an archive. Without `names` they are numbered; nothing tells their kinds."""
    chosen = [f"img_{number:05}.png" for number in range(len(images))] if names is None else names
    if len(chosen) != len(images):
        raise ValueError(f"{len(images)} pictures need as many names; {len(chosen)} were given")
    # PNGs do not shrink any further, and a fixed time makes the same pictures the same archive.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, image in zip(chosen, images, strict=True):
            content = io.BytesIO()
            Image.fromarray(image).save(content, "png", compress_level=1)
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content.getvalue())


def _masks(things: Sequence[Sequence[Part]], draws: np.random.Generator, size: int) -> npt.NDArray[np.float32]:
    """How much of each pixel each of the two paints covers: (N, 2, S, S), 0 to 1."""
    count, side = len(things), size * _OVERSAMPLED
    angles = np.radians(draws.uniform(-15, 15, count))
    radii = draws.uniform(0.3, 0.44, count) * side
    shapes = draws.uniform(0.85, 1.18, count)  # width over height
    mirrored = draws.choice([-1.0, 1.0], count)
    room = side / 2 - radii
    centres = side / 2 + draws.uniform(-1, 1, (count, 2)) * room[:, None]
    masks = np.empty((count, 2, size, size), np.float32)
    for number, parts in enumerate(things):
        cos, sin = np.cos(angles[number]), np.sin(angles[number])
        stretch = np.diag([mirrored[number] * np.sqrt(shapes[number]), 1 / np.sqrt(shapes[number])])
        turn = np.array([[cos, -sin], [-sin, -cos]])  # an image's y goes down
        layers = _draw(parts, radii[number] * turn @ stretch, centres[number], side)
        for layer in range(2):
            masks[number, layer] = np.asarray(layers[layer].resize((size, size), Image.Resampling.BOX), np.float32) / 255
    return masks


def _draw(parts: Sequence[Part], matrix: Floats, centre: Floats, side: int) -> tuple[Image.Image, Image.Image]:
    layers = Image.new("L", (side, side)), Image.new("L", (side, side))
    pens = [ImageDraw.Draw(layer) for layer in layers]
    for paint, outline in parts:
        points = (outline @ matrix.T + centre).ravel().tolist()
        for number, pen in enumerate(pens, start=1):
            pen.polygon(points, fill=255 if number == paint else 0)
    return layers


def _paints(draws: np.random.Generator, count: int, size: int) -> Floats:
    """A background and two paints for each image, all textured: (3, N, S, S, 3), 0 to 255."""
    colours = draws.uniform(20, 235, (3, count, 3))
    for _ in range(20):
        # A thing has to stand out from what is behind it, and its parts from each other, by any colour.
        apart = [np.abs(colours[one] - colours[other]).max(axis=1) for one, other in ((0, 1), (0, 2), (1, 2))]
        close = np.min(apart, axis=0) < 70
        colours[:, close] = draws.uniform(20, 235, (3, int(close.sum()), 3))
    patterns = np.stack([_patterns(draws, count, size) for _ in range(3)])  # [3, N, S, S]
    tints = draws.uniform(-32, 32, (3, count, 1, 1, 3))
    return colours[:, :, None, None, :] + patterns[..., None] * tints


def _patterns(draws: np.random.Generator, count: int, size: int) -> Floats:
    """A gradient, stripes, checks or clouds for each image: (N, S, S), about -1 to 1, in all directions alike."""
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    angles = draws.uniform(0, 2 * np.pi, (count, 1, 1))
    along, across = np.cos(angles) * x + np.sin(angles) * y, np.cos(angles) * y - np.sin(angles) * x
    waves = 2 * np.pi * draws.uniform(2, 6, (count, 1, 1))
    stripes = np.sin(waves * along + draws.uniform(0, 2 * np.pi, (count, 1, 1)))
    coarse = draws.normal(0, 0.8, (count, size // 4 + 1, size // 4 + 1))
    clouds = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :size, :size]
    choices = np.stack([2 * along, stripes, stripes * np.sin(waves * across), clouds])
    return choices[draws.integers(0, 4, count), np.arange(count)]
