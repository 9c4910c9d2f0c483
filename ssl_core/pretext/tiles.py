"""Cutting parts of images, batched, by draws of their own.

B: batch, K: tiles of each image, S: image side, T: a tile's side.
"""

import torch
from torch import Tensor

_QUIET = 1.0
"""Added to a tile's standard deviation, in levels of 255: an even tile stays even, and its noise is not blown up."""


def cut(images: Tensor, top: Tensor, left: Tensor, side: int) -> Tensor:
    """Cut tiles. What would lie outside of the image is its edge.

    Args:
        images: (B, 3, S, S).
        top: int64, first row of each tile (B, K), or of each channel of it (B, K, 3).
        left: first column, likewise.
        side: T, in pixels.

    Returns:
        (B, K, 3, T, T) of the same type.
    """
    place = torch.arange(side, device=images.device)
    rows, columns = ((start.unsqueeze(-1) + place).clamp_(0, images.shape[3] - 1) for start in (top, left))  # (B, K, …, T)
    sample = torch.arange(len(images), device=images.device).view(-1, 1, 1, 1)
    if top.ndim == 3:
        channel = torch.arange(3, device=images.device).view(1, 1, 3, 1, 1)
        return images[sample.unsqueeze(4), channel, rows.unsqueeze(4), columns.unsqueeze(3)]
    picked = images.permute(0, 2, 3, 1)[sample, rows.unsqueeze(3), columns.unsqueeze(2)]  # (B, K, T, T, 3)
    return picked.permute(0, 1, 4, 2, 3)


def standardized(tiles: Tensor) -> Tensor:
    """Floats (…, 3, T, T): each tile by the mean and standard deviation of its own channels, so that no tone tells where it was."""
    tiles = tiles.float()
    centred = tiles - tiles.mean((-2, -1), keepdim=True)
    return centred / (centred.square().mean((-2, -1), keepdim=True).sqrt() + _QUIET)


def to_levels(tiles: Tensor) -> Tensor:
    """Standardised tiles as levels of 0 to 255, for pictures."""
    return (tiles * 50 + 128).clamp(0, 255)
