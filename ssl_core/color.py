"""Colour spaces, on the device.

CIE Lab (CIE 15:2004) of sRGB (IEC 61966-2-1) under the illuminant D65: L* from 0 to 100; a* and b* about -110 to 110.
B: batch, H, W: height and width.
"""

import torch
from torch import Tensor

_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
_WHITE = (0.95047, 1.0, 1.08883)
_EDGE = 6 / 29
_SLOPE = 3 * _EDGE**2


def lab(levels: Tensor) -> Tensor:
    """L*, a*, b* as floats (B, 3, H, W) of sRGB levels (B, 3, H, W) of 0 to 255."""
    linear = _linear(levels)
    x, y, z = (_root(_mixed(linear, row, white)) for row, white in zip(_TO_XYZ, _WHITE, strict=True))
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def lightness(levels: Tensor) -> Tensor:
    """L* as a grey image: floats (B, 3, H, W) of 0 to 255, of sRGB levels (B, 3, H, W) of 0 to 255."""
    return (116 * _root(_mixed(_linear(levels), _TO_XYZ[1], _WHITE[1])) - 16).mul_(2.55).unsqueeze(1).expand(-1, 3, -1, -1)


def srgb(values: Tensor) -> Tensor:
    """Levels as floats (B, 3, H, W) of 0 to 255, of L*, a*, b* (B, 3, H, W); colours that sRGB lacks are clipped to it."""
    light, a, b = values.float().unbind(1)
    y = (light + 16) / 116
    roots = torch.stack([y + a / 500, y, y - b / 200], 1)
    relative = torch.where(roots > _EDGE, roots**3, _SLOPE * (roots - 4 / 29))
    whites = torch.tensor(_WHITE, dtype=torch.float64)
    back = (torch.linalg.inv(torch.tensor(_TO_XYZ, dtype=torch.float64)) * whites).float().to(values.device)
    linear = torch.einsum("rx,bxhw->brhw", back, relative).clamp_(0, 1)
    return torch.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear).mul_(255)


def _linear(levels: Tensor) -> Tensor:
    share = levels.float() / 255
    return torch.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)


def _mixed(linear: Tensor, row: tuple[float, float, float], white: float) -> Tensor:
    red, green, blue = linear.unbind(1)
    return red * (row[0] / white) + green * (row[1] / white) + blue * (row[2] / white)


def _root(relative: Tensor) -> Tensor:
    # The clamp changes no value: it keeps the gradient finite where an image is black, and that branch is not taken.
    return torch.where(relative > _EDGE**3, relative.clamp(min=_EDGE**3) ** (1 / 3), relative / _SLOPE + 4 / 29)
