"""Augmentation, batched on the device, with draws of its own for every sample.

B: batch, R: side of the images as they come, S: side of the images as they go. Images are (B, 3, H, W); those that come
from the data are uint8 and lie in memory as (B, H, W, 3), which is what `channels_last` means.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's channels, which most tools that load an encoder expect."""

_ASPECT = (3 / 4, 4 / 3)


class Normalize(nn.Module):
    """uint8 (B, 3, H, W) to floats, normalised per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([1 / (255 * std) for std in STD]).view(1, 3, 1, 1), persistent=False)
        shift = [-mean / std for mean, std in zip(MEAN, STD, strict=True)]
        self.register_buffer("shift", torch.tensor(shift).view(1, 3, 1, 1), persistent=False)
        self.scale: Tensor
        self.shift: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """Floats (B, 3, H, W)."""
        return images.float().mul_(self.scale).add_(self.shift)


def shift_and_flip(images: Tensor, padding: int, *, flip: bool) -> Tensor:
    """Shift each image by up to `padding` pixels each way, what comes in at the border reflected, and mirror half of them.

    Args:
        images: (B, 3, S, S).
        padding: largest shift in pixels, below S.
        flip: whether to mirror.

    Returns:
        (B, 3, S, S) of the same type.
    """
    batch, _, side, _ = images.shape
    device = images.device
    padding = min(padding, side - 1)
    place = torch.arange(side, device=device)
    shifts = torch.randint(-padding, padding + 1, (2, batch, 1), device=device)
    rows, columns = (_reflect(place + shift, side) for shift in shifts)  # each (B, S)
    if flip:
        mirrored = torch.rand(batch, 1, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    sample = torch.arange(batch, device=device).view(-1, 1, 1)
    picked = images.permute(0, 2, 3, 1)[sample, rows.unsqueeze(2), columns.unsqueeze(1)]  # (B, S, S, 3)
    return picked.permute(0, 3, 1, 2)


def _reflect(index: Tensor, side: int) -> Tensor:
    index = index.abs()
    return torch.where(index >= side, 2 * (side - 1) - index, index)


def resized_crop(images: Tensor, size: int, scale: float, *, flip: bool) -> Tensor:
    """Crop a random area of each image, of varying aspect, scale it bilinearly, and mirror half of them.

    Bilinear interpolation aliases if it shrinks much: R should be at most about 8/7 of S, so that most crops are enlarged.

    Args:
        images: (B, 3, R, R).
        size: S.
        scale: smallest area of the crop, as a fraction of the image.
        flip: whether to mirror.

    Returns:
        uint8 (B, 3, S, S).
    """
    batch, device = len(images), images.device
    area = torch.empty(batch, device=device).uniform_(scale, 1)
    log_low, log_high = torch.tensor(_ASPECT).log().tolist()
    aspect = torch.empty(batch, device=device).uniform_(log_low, log_high).exp()
    width = (area * aspect).sqrt().clamp(max=1)  # as fractions of the image's side
    height = (area / aspect).sqrt().clamp(max=1)
    left = (torch.rand(batch, device=device) * 2 - 1) * (1 - width)  # centre of the crop, in the grid's -1 to 1
    top = (torch.rand(batch, device=device) * 2 - 1) * (1 - height)
    if flip:
        width = torch.where(torch.rand(batch, device=device) < 0.5, -width, width)
    centres = (torch.arange(size, device=device) * 2 + 1) / size - 1  # of the result's pixels, (S,)
    # Not by `affine_grid`: it multiplies matrices, which autocast does in bf16, and half a pixel is lost.
    columns = (left.view(-1, 1) + width.view(-1, 1) * centres).view(batch, 1, size).expand(-1, size, -1)
    rows = (top.view(-1, 1) + height.view(-1, 1) * centres).view(batch, size, 1).expand(-1, -1, size)
    grid = torch.stack([columns, rows], 3)  # (B, S, S, 2)
    cropped = functional.grid_sample(images.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return cropped.round_().clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)


def quarter_turns(images: Tensor, turns: int) -> Tensor:
    """Rotate all images by 90 degrees counter-clockwise, `turns` times; exact, no pixel is interpolated. (B, 3, S, S) both."""
    return torch.rot90(images, turns, (2, 3))


def turned_each(images: Tensor, turns: Tensor) -> Tensor:
    """Rotate each image by its own number of quarter turns, `turns` (B,) of 0 to 3. (B, 3, S, S) both."""
    every = torch.stack([quarter_turns(images, number) for number in range(4)])  # (4, B, 3, S, S)
    return every[turns, torch.arange(len(images), device=images.device)]
