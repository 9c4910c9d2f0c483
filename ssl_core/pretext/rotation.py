"""Rotation: by which quarter turn was the image rotated?

Gidaris, Singh and Komodakis, "Unsupervised Representation Learning by Predicting Image Rotations", ICLR 2018.
B: batch, R: side of the images as they come, S: side of what the network sees, T: turns of each image in a batch, 4 or 1.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.augment import quarter_turns, turned_each
from ssl_core.encoders import Encoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import SEEN, CroppedTask, Question, as_picture
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import Rotation

_TURNS = 4


class RotationTask(CroppedTask[Rotation]):
    """Rotates images and asks by how much.

    Everything that leaves a trace is done before the rotation, and the rotation is exact: a crop that is interpolated, or a
    mirroring afterwards, would give the answer away or confuse 90 with 270 degrees. Borders are reflected, so none is marked.
    """

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        self.head = nn.Linear(encoder.features, _TURNS)

    def rotated(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Crop, mirror and rotate a batch.

        Args:
            images: uint8 (B, 3, R, R).

        Returns:
            uint8 (T * B, 3, S, S), all images by one rotation before the next; and the turns, int64 (T * B,) of 0 to 3.
        """
        upright = self.cropped(images)
        batch, device = len(upright), upright.device
        if self.settings.rotations == "one":
            turns = torch.randint(_TURNS, (batch,), device=device)
            return turned_each(upright, turns), turns
        turned = torch.cat([quarter_turns(upright, number) for number in range(_TURNS)])
        return turned, torch.arange(_TURNS, device=device).repeat_interleave(batch)

    def ask(self, images: Tensor) -> Question:
        """`images`: (T * B, 3, S, S); `turns`: int64 (T * B,)."""
        turned, turns = self.rotated(images)
        return {"images": self.as_input(turned), "turns": turns}

    def answer(self, question: Question) -> dict[str, Tensor]:
        """`loss`: cross-entropy in nats; `accuracy`: 0 to 1, chance is 0.25."""
        answers = self.head(self.encoder(question["images"])).float()
        turns = question["turns"]
        return {"loss": functional.cross_entropy(answers, turns), "accuracy": (answers.argmax(1) == turns).float().mean()}

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        upright = self.cropped(images)
        turns = (torch.arange(len(upright)) + 1) % _TURNS
        notes = tuple(f"turned by {90 * turn}°" if turn else "not turned" for turn in turns.tolist())
        return (Panel("Images", as_picture(upright)), Panel(SEEN, as_picture(turned_each(upright, turns)), notes))

    def picture(self, images: Tensor) -> Picture:
        upright = self.cropped(images)
        turns = torch.randint(_TURNS, (len(upright),), device=upright.device)
        turned = turned_each(upright, turns)
        answers = self.head(self.encoder(self.as_input(turned))).argmax(1)
        right = (answers == turns).tolist()
        panels = (
            Panel("shown", as_picture(turned), tuple(f"{90 * turn} degrees" for turn in turns.tolist())),
            Panel(
                "turned back by the answer",
                as_picture(turned_each(turned, (_TURNS - answers) % _TURNS)),
                tuple(f"says {90 * turn}" for turn in answers.tolist()),
                tuple(right),
            ),
        )
        return Picture(panels, f"Of {len(right)} rotated images, the network tells the rotation of {sum(right)}.")
