"""Rotation: by which quarter turn was the image rotated?

Gidaris, Singh and Komodakis, "Unsupervised Representation Learning by Predicting Image Rotations", ICLR 2018.
B: batch, S: image side, R: rotations of each image in a batch, 4 or 1.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.augment import Normalize, quarter_turns, resized_crop, shift_and_flip, turned_each
from ssl_core.encoders import Encoder
from ssl_core.pretext.base import PretextTask
from ssl_core.spec import ResolvedPretrain

_TURNS = 4


class RotationTask(PretextTask):
    """Rotates images and asks by how much.

    Everything that leaves a trace is done before the rotation, and the rotation is exact: a crop that is interpolated, or a
    mirroring afterwards, would give the answer away or confuse 90 with 270 degrees. Borders are reflected, so none is marked.
    """

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        self.normalize = Normalize()
        self.head = nn.Linear(encoder.features, _TURNS)

    def rotated(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Crop, mirror and rotate a batch.

        Args:
            images: uint8 (B, 3, D, D), where D is the task's `decode_size`.

        Returns:
            uint8 (R * B, 3, S, S), all images by one rotation before the next; and the turns, int64 (R * B,) of 0 to 3.
        """
        upright = self._crop(images)
        batch, device = len(upright), upright.device
        if self.spec.task.rotations == "one":
            turns = torch.randint(_TURNS, (batch,), device=device)
            return turned_each(upright, turns), turns
        turned = torch.cat([quarter_turns(upright, number) for number in range(_TURNS)])
        return turned, torch.arange(_TURNS, device=device).repeat_interleave(batch)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`loss`: cross-entropy in nats; `accuracy`: 0 to 1, chance is 0.25."""
        turned, turns = self.rotated(images)
        normalized = self.normalize(turned).contiguous(memory_format=torch.channels_last)
        answers = self.head(self.encoder(normalized))
        accuracy = (answers.argmax(1) == turns).float().mean()
        return {"loss": functional.cross_entropy(answers.float(), turns), "accuracy": accuracy}

    def _crop(self, images: Tensor) -> Tensor:
        task = self.spec.task
        if task.crop == "resized":
            return resized_crop(images, self.spec.image_size, task.crop_scale, flip=task.flip)
        return shift_and_flip(images, task.crop_padding if task.crop == "pad" else 0, flip=task.flip)
