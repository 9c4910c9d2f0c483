"""Augmentation, batched on the device, with draws of its own for every sample.

B: batch, R: side of the images as they come, S: side of the images as they go. Images are (B, 3, H, W); those that come
from the data are uint8 and lie in memory as (B, H, W, 3), which is what `channels_last` means.
"""

import math
from functools import cache

import torch
from torch import Tensor, nn

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's channels, which most tools that load an encoder expect."""

_ASPECT = (3 / 4, 4 / 3)
_JITTERED = 0.8
_BLUR = (0.1, 2.0)
_LUMA = (0.299, 0.587, 0.114)
_TO_YIQ = (_LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))


class Normalize(nn.Module):
    """Levels (B, 3, …) of 0 to 255, integers or not, normalised per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([1 / (255 * std) for std in STD]), persistent=False)
        shift = [-mean / std for mean, std in zip(MEAN, STD, strict=True)]
        self.register_buffer("shift", torch.tensor(shift), persistent=False)
        self.scale: Tensor
        self.shift: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """Floats (B, 3, …)."""
        shape = (-1, *[1] * (images.ndim - 2))
        return (images * self.scale.view(shape)).add_(self.shift.view(shape))


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
    """Crop a random area of each image, of varying aspect, scale it, and mirror half of them.

    Args:
        images: (B, 3, R, R).
        size: S.
        scale: smallest area of the crop, as a fraction of the image.
        flip: whether to mirror.

    Returns:
        uint8 (B, 3, S, S).
    """
    rows, columns = _crops(len(images), images.shape[3], size, scale, flip=flip, device=images.device)
    cropped = _resampled(images, rows, columns).round_().clamp_(0, 255)
    return cropped.to(torch.uint8).contiguous(memory_format=torch.channels_last)


def view(images: Tensor, size: int, *, scale: float, flip: bool, jitter: float, grayscale: float, blur: float) -> Tensor:
    """One view of each image: a random area of it, recoloured, blurred; as contrastive learning wants them (Chen et al. 2020).

    Args:
        images: uint8 (B, 3, R, R).
        size: S.
        scale: smallest area of the crop, as a fraction of the image.
        flip: whether to mirror half of them.
        jitter: strength of the change of brightness, contrast and saturation (a factor of 1 +- 0.8 times this each) and hue (0.2
            times this of a turn), made with probability 0.8.
        grayscale: probability of losing the colours.
        blur: probability of a Gaussian blur, with a sigma of 0.1 to 2 px at 224 px.

    Returns:
        Levels, floats (B, 3, S, S) of 0 to 255.
    """
    device = images.device
    rows, columns = _crops(len(images), images.shape[3], size, scale, flip=flip, device=device)
    if blur:
        # Blurring is one more matrix on each side.
        gaussian = _blurs(len(images), size, blur, device)
        rows, columns = torch.bmm(gaussian, rows), torch.bmm(gaussian, columns)
    return recolored(_resampled(images, rows, columns), jitter, grayscale)


def _crops(batch: int, side: int, size: int, scale: float, *, flip: bool, device: torch.device) -> tuple[Tensor, Tensor]:
    """Matrices (B, S, R) that make the rows, and the columns, of random crops."""
    area = torch.empty(batch, device=device).uniform_(scale, 1)
    log_low, log_high = math.log(_ASPECT[0]), math.log(_ASPECT[1])
    aspect = torch.empty(batch, device=device).uniform_(log_low, log_high).exp()
    width = (area * aspect).sqrt().clamp(max=1) * side  # in pixels of the image
    height = (area / aspect).sqrt().clamp(max=1) * side
    left = torch.rand(batch, device=device) * (side - width)
    top = torch.rand(batch, device=device) * (side - height)
    columns = _scaling(left, width, side, size)
    if flip:
        mirrored = torch.rand(batch, 1, 1, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    return _scaling(top, height, side, size), columns


def _scaling(start: Tensor, length: Tensor, side: int, size: int) -> Tensor:
    """Matrices (B, S, R) that scale pieces of a line of R pixels to S.

    Linear interpolation where a piece is enlarged; where it is shrunk, the triangle is as wide as the pixels that are left out, so
    that nothing aliases. Weights that would fall beyond the line's ends go to the pixels within.

    Args:
        start: (B,), where the pieces begin, in pixels.
        length: (B,), how long they are, in pixels.
        side: R.
        size: S.
    """
    step = (length / size).view(-1, 1, 1)
    centres = start.view(-1, 1, 1) + step * (torch.arange(size, device=start.device) + 0.5).view(1, -1, 1)
    distance = (torch.arange(side, device=start.device) + 0.5 - centres).abs_()  # (B, S, R)
    weights = (1 - distance / step.clamp(min=1)).clamp_(min=0)
    return weights / weights.sum(2, keepdim=True)


def _resampled(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Floats (B, 3, S, S): images (B, 3, R, R), whose rows and columns are combined by matrices (B, S, R) of each image."""
    with torch.autocast(images.device.type, enabled=False):
        levels = images.to(torch.float32, memory_format=torch.contiguous_format)
        return torch.matmul(torch.matmul(rows.unsqueeze(1), levels), columns.transpose(1, 2).unsqueeze(1))


def _blurs(batch: int, size: int, probability: float, device: torch.device) -> Tensor:
    """Matrices (B, S, S) that blur a line of S pixels, or leave it alone."""
    sigma = torch.empty(batch, 1, 1, device=device).uniform_(*_BLUR) * size / 224
    place = torch.arange(size, device=device)
    weights = (-0.5 * ((place - place.unsqueeze(1)) / sigma.clamp(min=0.01)).square_()).exp_()
    weights = weights / weights.sum(2, keepdim=True)
    blurred = torch.rand(batch, 1, 1, device=device) < probability
    return torch.where(blurred, weights, torch.eye(size, device=device))


def recolored(levels: Tensor, jitter: float, grayscale: float) -> Tensor:
    """Change the colours of each image by draws of its own.

    All changes are linear, so that each image needs one 3 x 3 matrix and one shift.

    Args:
        levels: floats (B, 3, S, S) of 0 to 255.
        jitter: strength, as of `view`.
        grayscale: probability of losing the colours.

    Returns:
        The same, clipped to 0 to 255.
    """
    batch, device = len(levels), levels.device
    brightness, contrast, saturation = 1 + 0.8 * jitter * (2 * torch.rand(3, batch, 1, 1, device=device) - 1)
    angle = 2 * math.pi * 0.2 * jitter * (2 * torch.rand(batch, device=device) - 1)
    changed = torch.rand(batch, 1, 1, device=device) < _JITTERED
    gray = torch.rand(batch, 1, 1, device=device) < grayscale

    one = torch.eye(3, device=device)
    luma = _matrices(device)[0][:1].expand(3, 3)  # every row of it gives the brightness
    saturation = torch.where(gray, 0.0, torch.where(changed, saturation, 1.0))
    brightness = torch.where(changed, brightness, 1.0)
    contrast = torch.where(changed, contrast, 1.0)
    hue = torch.where(changed, _hue_turns(angle), one)
    saturate = saturation * one + (1 - saturation) * luma
    matrix = saturate @ hue * (contrast * brightness)  # (B, 3, 3)
    pixels = levels.flatten(2)
    mean = torch.einsum("c,bc->b", luma[0], pixels.mean(2)).view(-1, 1, 1)  # brightness, which contrast is relative to
    shift = ((1 - contrast) * brightness * mean).expand(-1, 3, 1)
    return torch.baddbmm(shift, matrix, pixels).clamp_(0, 255).view_as(levels)


def _hue_turns(angle: Tensor) -> Tensor:
    """Matrices (B, 3, 3) that turn colours about the grey axis by an angle (B,) in radians, and keep their brightness."""
    to_yiq, from_yiq = _matrices(angle.device)
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    turn = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], 1).view(-1, 3, 3)
    return from_yiq @ turn @ to_yiq


@cache
def _matrices(device: torch.device) -> tuple[Tensor, Tensor]:
    """To YIQ and back. Kept, for a copy to a GPU and an inversion on it make the CPU wait."""
    to_yiq = torch.tensor(_TO_YIQ, dtype=torch.float64)
    return to_yiq.float().to(device), torch.linalg.inv(to_yiq).float().to(device)


def quarter_turns(images: Tensor, turns: int) -> Tensor:
    """Rotate all images by 90 degrees counter-clockwise, `turns` times; exact, no pixel is interpolated. (…, S, S) both."""
    return torch.rot90(images, turns, (-2, -1))


def turned_each(images: Tensor, turns: Tensor) -> Tensor:
    """Rotate each image by its own number of quarter turns, `turns` (B,) of 0 to 3. (B, …, S, S) both."""
    every = torch.stack([quarter_turns(images, number) for number in range(4)])  # (4, B, …, S, S)
    return every[turns, torch.arange(len(images), device=images.device)]
