"""Networks that make images and clips of latents, by residual blocks without normalisation.

B: batch, Z: length of a latent, S: side, T: frames, C: channels. Levels are -1 to 1.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.pretext.base import channels_last

_SMALLEST_SIDE = 7
_FEWEST_FRAMES = 2
_MOST_TIMES = 8
_SLOPE = 0.2
_CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_INTERPOLATIONS = {2: "bilinear", 3: "trilinear"}


class Trunk(nn.Module):
    """Makes feature maps of latents, doubling their size from block to block.

    Args:
        latent: Z.
        width: channels at the full size; each size before has twice as many, up to 8 times.
        size: of the last maps: (S, S), or (T, S, S).
    """

    def __init__(self, latent: int, width: int, size: tuple[int, ...]) -> None:
        super().__init__()
        sizes = [size]
        while sizes[0][-1] > _SMALLEST_SIDE:
            *frames, side, _ = sizes[0]
            half = -(-side // 2)
            sizes.insert(0, (*(max(min(count, _FEWEST_FRAMES), -(-count // 2)) for count in frames), half, half))
        widths = [width * min(_MOST_TIMES, 2**number) for number in reversed(range(len(sizes)))]
        dimensions = len(size)
        self.sizes = sizes
        self._mode = _INTERPOLATIONS[dimensions]
        self.start = nn.Linear(latent, widths[0] * torch.Size(sizes[0]).numel())
        self.blocks = nn.ModuleList([Block(channels, len(sizes), dimensions) for channels in widths])
        self.narrow = nn.ModuleList([_narrow(inputs, outputs, dimensions) for inputs, outputs in pairwise(widths)])
        nn.init.normal_(self.start.weight)
        nn.init.zeros_(self.start.bias)

    def maps(self, latents: Tensor) -> Tensor:
        """(B, width, …, S, S) of (B, Z)."""
        scaled = latents * latents.square().mean(1, keepdim=True).add(1e-8).rsqrt() / latents.shape[1] ** 0.5
        maps: Tensor = self.start(scaled).view(len(latents), -1, *self.sizes[0])
        maps = self.blocks[0](maps.contiguous(memory_format=channels_last(maps.ndim)))
        for size, narrow, block in zip(self.sizes[1:], self.narrow, self.blocks[1:], strict=True):
            # Narrowing commutes with interpolation, and is cheaper before.
            maps = block(functional.interpolate(narrow(maps), size, mode=self._mode))
        return maps


class Generator(Trunk):
    """Makes images. Arguments as of `Trunk`, but a side alone.

    Args:
        latent: Z.
        width: channels at the full side.
        side: S.
    """

    def __init__(self, latent: int, width: int, side: int) -> None:
        super().__init__(latent, width, (side, side))
        self.image = nn.Conv2d(width, 3, 1)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, 3, S, S) of -1 to 1, of (B, Z)."""
        images: Tensor = self.image(self.maps(latents)).tanh()  # bounded: behind batch norm a discriminator cannot call them back
        return images


class Made(NamedTuple):
    """What a generator of clips makes."""

    clips: Tensor
    """(B, 3, T, S, S) of -1 to 1: the foreground where the mask is 1, the background where it is 0."""
    masks: Tensor
    """(B, 1, T, S, S) of 0 to 1."""
    backgrounds: Tensor
    """(B, 3, 1, S, S) of -1 to 1."""


class ClipGenerator(Trunk):
    """Makes clips of a foreground that moves, and a background that does not, both of the same latent.

    Vondrick, Pirsiavash and Torralba, "Generating Videos with Scene Dynamics", NeurIPS 2016.

    Args:
        latent: Z.
        width: channels at the full size, of either stream.
        frames: T.
        side: S.
    """

    def __init__(self, latent: int, width: int, frames: int, side: int) -> None:
        super().__init__(latent, width, (frames, side, side))
        self.foreground = nn.Conv3d(width, 4, 1)
        self.background = Generator(latent, width, side)

    def forward(self, latents: Tensor) -> Made:
        """Clips of latents (B, Z)."""
        made: Tensor = self.foreground(self.maps(latents))
        foreground, mask = made[:, :3].tanh(), made[:, 3:].sigmoid()
        background: Tensor = self.background(latents).unsqueeze(2)
        return Made(mask * foreground + (1 - mask) * background, mask, background)


def _narrow(inputs: int, outputs: int, dimensions: int) -> nn.Module:
    layer = _CONVOLUTIONS[dimensions](inputs, outputs, 1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    return layer


class Block(nn.Module):
    """Two convolutions beside a way around them.

    The second begins at zero, so that depth costs no stability (Zhang et al., "Fixup Initialization", ICLR 2019).

    Args:
        channels: C.
        depth: blocks in the network.
        dimensions: 2 of images, 3 of clips.
    """

    def __init__(self, channels: int, depth: int, dimensions: int) -> None:
        super().__init__()
        convolution = _CONVOLUTIONS[dimensions]
        self.first = convolution(channels, channels, 3, 1, 1)
        self.second = convolution(channels, channels, 3, 1, 1, bias=False)
        nn.init.kaiming_normal_(self.first.weight, _SLOPE, nonlinearity="leaky_relu")
        with torch.no_grad():
            self.first.weight.mul_(depth**-0.5)
        nn.init.zeros_(self.second.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, …) of the same."""
        inner = functional.leaky_relu(self.first(functional.leaky_relu(maps, _SLOPE)), _SLOPE)
        changed_maps: Tensor = maps + self.second(inner)
        return changed_maps
