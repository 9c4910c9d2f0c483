"""Regions of images to hide, drawn for each image, and what can be said of them without a network.

B: batch, S: image side. A mask is float (B, 1, S, S), 1 where an image is hidden.
"""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

_BLOCKS = 3
_ASPECT = 2.0
_SPREAD = 0.5
_GRAIN = 8
"""A blot is a few eighths of the image's side across."""


def draw_regions(
    kind: Literal["center", "blocks", "free_form"], batch: int, side: int, hidden: float, device: torch.device
) -> Tensor:
    """Masks.

    Args:
        kind: `center`: a square in the middle; `blocks`: three rectangles; `free_form`: blots.
        batch: B.
        side: S.
        hidden: area that is hidden, as a fraction of the image; on average, where it is drawn.
        device: where.
    """
    if kind == "center":
        return _center(batch, side, hidden, device)
    return _blocks(batch, side, hidden, device) if kind == "blocks" else _blots(batch, side, hidden, device)


def _center(batch: int, side: int, hidden: float, device: torch.device) -> Tensor:
    length = max(1, round(math.sqrt(hidden) * side))
    start = (side - length) // 2
    mask = torch.zeros(1, 1, side, side, device=device)
    mask[:, :, start : start + length, start : start + length] = 1
    return mask.expand(batch, 1, side, side)


def _blocks(batch: int, side: int, hidden: float, device: torch.device) -> Tensor:
    """Rectangles may overlap, so together they have more than the area that is to be hidden."""
    each = 1 - (1 - hidden) ** (1 / _BLOCKS)
    area = each * torch.empty(batch, _BLOCKS, device=device).uniform_(1 - _SPREAD, 1 + _SPREAD)
    aspect = torch.empty(batch, _BLOCKS, device=device).uniform_(-math.log(_ASPECT), math.log(_ASPECT)).exp()
    height, width = ((part.sqrt() * side).round().clamp(1, side) for part in (area * aspect, area / aspect))
    place = torch.arange(side, device=device)
    lines = []
    for length in (height, width):
        start = (torch.rand(batch, _BLOCKS, device=device) * (side - length + 1)).floor().unsqueeze(2)
        lines.append(((place >= start) & (place < start + length.unsqueeze(2))).float())  # (B, blocks, S)
    rows, columns = lines
    return torch.einsum("bkh,bkw->bhw", rows, columns).clamp(max=1).unsqueeze(1)


def _blots(batch: int, side: int, hidden: float, device: torch.device) -> Tensor:
    """Where smooth noise is highest. The share of each image varies as that of the blocks does."""
    share = hidden * torch.empty(batch, 1, 1, 1, device=device).uniform_(1 - _SPREAD, 1 + _SPREAD)
    coarse = torch.randn(batch, 1, _GRAIN + 1, _GRAIN + 1, device=device)
    noise = functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=True)
    mean, deviation = noise.mean((2, 3), keepdim=True), noise.std((2, 3), keepdim=True)
    height = math.sqrt(2) * torch.erfinv(1 - 2 * share.clamp(max=0.9))  # so much of a normal distribution lies above
    return ((noise - mean) / deviation > height).float()


def shrunk(mask: Tensor, by: int) -> Tensor:
    """Regions without a rim of so many pixels. At the image's border there is no rim."""
    if by == 0:
        return mask
    line = 2 * by + 1
    shown = functional.max_pool2d(1 - mask, (line, 1), 1, (by, 0))
    return 1 - functional.max_pool2d(shown, (1, line), 1, (0, by))


def smoothly_filled(levels: Tensor, mask: Tensor) -> Tensor:
    """Fill regions with means of what lies around them, nearer pixels first, as one can without having learned anything.

    Args:
        levels: floats (B, 3, S, S).
        mask: as above.

    Returns:
        (B, 3, S, S), the same as `levels` outside of the regions.
    """
    shown = 1 - mask
    filled = levels * shown
    if min(levels.shape[2:]) > 1 and bool(mask.any()):
        weight = functional.avg_pool2d(shown, 2, ceil_mode=True)
        coarse = functional.avg_pool2d(filled, 2, ceil_mode=True) / weight.clamp(min=1e-6)
        around = smoothly_filled(coarse, (weight == 0).float())
        filled = filled + functional.interpolate(around, levels.shape[2:], mode="bilinear") * mask
    return filled
