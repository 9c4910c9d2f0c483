"""Common corruptions (Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions …", ICLR 2019).

Ten of their fifteen kinds. Their strengths for 32 px (CIFAR-10-C) and for 224 px (ImageNet-C) are taken where the side is that, and
between them, in proportion to the logarithm of the side; below and above, those of the nearer end. Motion blurs to both sides,
where theirs blurs to one, and fog is made of octaves of noise. Made on the CPU: the same seed gives the same bytes.

N: images, S: side.
"""

import io
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ssl_core.data import derived_seed

Pixels = npt.NDArray[np.uint8]

SEVERITIES = (1, 2, 3, 4, 5)
_SMALL, _LARGE = 32, 224
_PART = 64
"""Images at a time."""


class Draws:
    """What is random about a part of the images: the same for all severities, and, but for shot noise, for all frames of a clip.

    Args:
        seed: of them.
        samples: images, or clips.
        frames: of a clip; 1 of images.
    """

    def __init__(self, seed: int, samples: int, frames: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._samples, self._frames = samples, frames

    def normal(self, *shape: int) -> Tensor:
        """(N, …)."""
        return self._of_frames(torch.randn((self._samples, *shape), generator=self._generator))

    def uniform(self, *shape: int) -> Tensor:
        """(N, …), 0 to 1."""
        return self._of_frames(torch.rand((self._samples, *shape), generator=self._generator))

    def poisson(self, rates: Tensor) -> Tensor:
        """Counts, of rates (N, …)."""
        return torch.poisson(rates, generator=self._generator)

    def _of_frames(self, drawn: Tensor) -> Tensor:
        return drawn.repeat_interleave(self._frames, 0)


Corrupt = Callable[[Tensor, float, Draws], Tensor]
"""Corrupts images (N, 3, S, S) of 0 to 1, by a strength; what it gives need not be within 0 to 1."""


def _gaussian_noise(images: Tensor, spread: float, draws: Draws) -> Tensor:
    return images + spread * draws.normal(*images.shape[1:])


def _shot_noise(images: Tensor, noise: float, draws: Draws) -> Tensor:
    """`noise`: one over the photons of a white pixel."""
    return draws.poisson(images / noise) * noise


def _impulse_noise(images: Tensor, share: float, draws: Draws) -> Tensor:
    chance = draws.uniform(*images.shape[1:])
    salted = torch.where(chance > 1 - share / 2, torch.ones_like(images), images)
    return torch.where(chance < share / 2, torch.zeros_like(images), salted)


def _gaussian_blur(images: Tensor, sigma: float, _draws: Draws) -> Tensor:
    """`sigma` in pixels."""
    reach = max(1, math.ceil(4 * sigma))
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    bell = (bell / bell.sum()).expand(3, 1, -1)
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    return functional.conv2d(functional.conv2d(padded, bell.unsqueeze(2), groups=3), bell.unsqueeze(3), groups=3)


def _motion_blur(images: Tensor, sigma: float, draws: Draws) -> Tensor:
    """Along a line of -45 to 45 degrees. `sigma` in pixels."""
    angle = math.pi / 2 * (draws.uniform() - 0.5)  # (N,)
    reach = max(1, math.ceil(3 * sigma))
    along = torch.arange(-reach, reach + 0.5, 0.5)
    weight = torch.exp(-0.5 * (along / sigma) ** 2)
    place = torch.arange(-reach, reach + 1)
    rows, columns = (
        (1 - (place - (direction.unsqueeze(1) * along).unsqueeze(2)).abs()).clamp(min=0)  # (N, points, reach)
        for direction in (angle.sin(), angle.cos())
    )
    kernels = torch.einsum("p,npr,npc->nrc", weight, rows, columns)
    kernels = (kernels / kernels.sum((1, 2), keepdim=True)).repeat_interleave(3, 0).unsqueeze(1)
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    return functional.conv2d(padded.reshape(1, -1, *padded.shape[2:]), kernels, groups=len(kernels)).view(images.shape)


def _fog(images: Tensor, thickness: float, draws: Draws) -> Tensor:
    side, octaves = images.shape[-1], math.ceil(math.log2(images.shape[-1]))
    cloud = torch.zeros(len(images), 1, side, side)
    for octave in range(1, octaves + 1):
        drawn = draws.normal(1, 2**octave, 2**octave) / 2**octave
        cloud += functional.interpolate(drawn, size=(side, side), mode="bilinear", align_corners=False)
    lowest, highest = cloud.amin((1, 2, 3), keepdim=True), cloud.amax((1, 2, 3), keepdim=True)
    brightest = images.amax((1, 2, 3), keepdim=True)
    fogged = images + thickness * (cloud - lowest) / (highest - lowest)
    return fogged * brightest / (brightest + thickness)


def _brightness(images: Tensor, more: float, _draws: Draws) -> Tensor:
    """The value of HSV raised, hue and saturation kept."""
    value = images.amax(1, keepdim=True)
    raised = (value + more).clamp(max=1)
    return torch.where(value > 0, images * raised / value.clamp(min=1e-6), raised)


def _contrast(images: Tensor, lost: float, _draws: Draws) -> Tensor:
    mean = images.mean((2, 3), keepdim=True)
    return (images - mean) * (1 - lost) + mean


def _pixelate(images: Tensor, lost: float, _draws: Draws) -> Tensor:
    """`lost`: by which share of the side the image is made smaller."""
    side = images.shape[-1]
    small = max(1, int(side * (1 - lost)))
    # As Pillow's box filter: each pixel is the mean of what it covers, also on the way back.
    down = _covered(side, small)
    up = _covered(small, side)
    return up @ (down @ images @ down.T) @ up.T


def _covered(size: int, wanted: int) -> Tensor:
    """Matrix (wanted, size): which share of each of `wanted` equal parts of a line each of `size` equal parts fills."""
    edges, ends = torch.arange(size + 1) / size, torch.arange(wanted + 1) / wanted
    low = torch.maximum(ends[:-1].unsqueeze(1), edges[:-1])
    high = torch.minimum(ends[1:].unsqueeze(1), edges[1:])
    return (high - low).clamp(min=0) * wanted


def _jpeg(images: Tensor, loss: float, _draws: Draws) -> Tensor:
    """`loss`: 100 minus the quality."""
    written = []
    for image in _as_levels(images):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=round(100 - loss))
        written.append(np.asarray(Image.open(buffer)))
    return _as_shares(np.stack(written))


_KINDS: dict[str, tuple[Corrupt, tuple[float, ...], tuple[float, ...]]] = {
    "gaussian_noise": (_gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),
    "shot_noise": (_shot_noise, (1 / 500, 1 / 250, 1 / 100, 1 / 75, 1 / 50), (1 / 60, 1 / 25, 1 / 12, 1 / 5, 1 / 3)),
    "impulse_noise": (_impulse_noise, (0.01, 0.02, 0.03, 0.05, 0.07), (0.03, 0.06, 0.09, 0.17, 0.27)),
    "gaussian_blur": (_gaussian_blur, (0.4, 0.6, 0.7, 0.8, 1), (1, 2, 3, 4, 6)),
    "motion_blur": (_motion_blur, (1, 1.5, 2, 2.25, 2.5), (3, 5, 8, 12, 15)),
    "fog": (_fog, (0.2, 0.5, 0.75, 1, 1.5), (1.5, 2, 2.5, 2.75, 3)),
    "brightness": (_brightness, (0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": (_contrast, (0.25, 0.5, 0.6, 0.7, 0.85), (0.6, 0.7, 0.8, 0.9, 0.95)),
    "pixelate": (_pixelate, (0.05, 0.1, 0.15, 0.25, 0.35), (0.4, 0.5, 0.6, 0.7, 0.75)),
    "jpeg": (_jpeg, (20, 35, 42, 50, 60), (75, 82, 85, 90, 93)),
}
"""How each is made, and its five strengths at 32 px and at 224 px. Of fog it is the thickness alone."""

CORRUPTIONS = tuple(_KINDS)


def strength(kind: str, severity: int, side: int) -> float:
    """How strong a corruption of 1 to 5 is for images of a side in pixels; in a unit of its own."""
    _, small, large = _KINDS[kind]
    place = math.log(side / _SMALL) / math.log(_LARGE / _SMALL)
    at = min(1.0, max(0.0, place))
    return (1 - at) * small[severity - 1] + at * large[severity - 1]


def corrupted(images: Pixels, kind: str, severity: int, *, seed: int) -> Pixels:
    """Corrupt images.

    Args:
        images: uint8 (N, S, S, 3), or clips (N, T, S, S, 3).
        kind: one of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: of what is random.

    Returns:
        As they came.
    """
    corrupt, strong = _KINDS[kind][0], strength(kind, severity, images.shape[-2])
    frames = images.shape[1] if images.ndim == 5 else 1
    parts = []
    for start in range(0, len(images), _PART):
        part = images[start : start + _PART]
        draws = Draws(derived_seed(seed, kind, start), len(part), frames)
        parts.append(_as_levels(corrupt(_as_shares(part.reshape(-1, *images.shape[-3:])), strong, draws)).reshape(part.shape))
    return np.concatenate(parts)


def _as_shares(images: Pixels) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def _as_levels(images: Tensor) -> Pixels:
    levels: Pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return levels
