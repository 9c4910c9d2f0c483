"""A network that names classes of images as an attack sees it: from pixels of 0 to 1 to logits, with gradients.

B: batch, S: side, T: frames of a clip, C: classes. Pixels are float32 (B, 3, S, S) or (B, 3, T, S, S).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ssl_core.augment import Normalize
from ssl_core.color import lightness
from ssl_core.embed import ShownAs, pooled
from ssl_core.encoders import Encoder
from ssl_core.errors import InterruptedRun
from ssl_core.process import StopRequest

BATCH = 256
"""Images that go through a network at a time."""


class StageClassifier(nn.Module):
    """A head on what one stage of an encoder sees.

    Args:
        encoder: of images or of clips.
        stage: name of the stage.
        head: logits (B, C) of its features, averaged over the map.
    """

    def __init__(self, encoder: Encoder, stage: str, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.stage, self.head = encoder, stage, head

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, C) of normalised images."""
        logits: Tensor = self.head(pooled(self.encoder.stage_maps(images)[self.stage]))
        return logits


class Classifier(nn.Module):
    """A network of logits together with everything that is done to pixels before, in evaluation mode, its weights fixed.

    Args:
        network: logits (B, C) of normalised images; copied, for others may go on training it.
        shown_as: what it is shown of an image.
    """

    def __init__(self, network: nn.Module, shown_as: ShownAs = "rgb") -> None:
        super().__init__()
        self.network = deepcopy(network).requires_grad_(requires_grad=False).eval()
        self.normalize = Normalize()
        self._shown_as = shown_as

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (B, C)."""
        levels = pixels * 255
        logits: Tensor = self.network(self.normalize(lightness(levels) if self._shown_as == "lightness" else levels))
        return logits


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Full fp32 on GPUs as well: a small step must not drown in rounding."""
    precision, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = convolutions


def as_pixels(images: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """Pixels of 0 to 1 of uint8 images (B, S, S, 3) or clips (B, T, S, S, 3)."""
    return torch.from_numpy(images).to(device).movedim(-1, 1).float() / 255


@torch.no_grad()
def logits_of(classifier: nn.Module, pixels: Tensor, stop: StopRequest) -> Tensor:
    """Logits (B, C) of any number of images, a part of them at a time.

    Raises:
        InterruptedRun: it was asked to stop.
    """
    parts: list[Tensor] = []
    for part in torch.split(pixels, BATCH):
        if stop:
            raise InterruptedRun
        parts.append(classifier(part))
    return torch.cat(parts)


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """By how much the right class (B,) is ahead of the best other one in logits (B, C): (B,), above 0 where it is said."""
    right = logits.gather(1, labels.unsqueeze(1)).squeeze(1)
    others = logits.scatter(1, labels.unsqueeze(1), -torch.inf)
    return right - others.amax(1)
