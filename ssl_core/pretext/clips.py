"""What tasks about clips have in common.

B: batch, T: frames, R: side of the frames as they come, S: side of what the network sees.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssl_core.encoders import VideoEncoder
from ssl_core.pretext.base import CroppedTask, as_picture
from ssl_core.spec.tasks import ClipTask

ClipTaskT = TypeVar("ClipTaskT", bound=ClipTask)


class ClippedTask(CroppedTask[ClipTaskT]):
    """A task about clips, whose frames are cropped and mirrored alike."""

    encoder: VideoEncoder

    def cropped(self, images: Tensor) -> Tensor:
        """uint8 (B, 3, T, S, S) of uint8 (B, 3, T, R, R)."""
        batch, channels, frames = images.shape[:3]
        # To cropping, the frames of a clip are more channels of one image.
        cropped = super().cropped(images.flatten(1, 2))
        return cropped.reshape(batch, channels, frames, self.size, self.size)


def moments(clips: Tensor, count: int) -> Tensor:
    """A few frames of each clip, evenly spread: (B, 3, min(count, T), H, W) of (B, 3, T, H, W)."""
    frames = clips.shape[2]
    return clips[:, :, torch.linspace(0, frames - 1, min(count, frames)).round().long()]


def as_film(clips: Tensor) -> npt.NDArray[np.uint8]:
    """Levels (B, 3, T, H, W) of 0 to 255, as uint8 (B, T, H, W, 3) for a picture that moves."""
    frames = as_picture(clips.transpose(1, 2).flatten(0, 1))
    return frames.reshape(len(clips), -1, *frames.shape[1:])
