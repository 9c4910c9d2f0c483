"""Rotation of clips: by which quarter turn was the clip rotated?

Jing, Yang, Liu and Tian, "Self-Supervised Spatiotemporal Feature Learning via Video Rotation Prediction", 2018.
B: batch, T: frames, R: side of the frames as they come, S: side of what the network sees, K: turns of each clip in a batch, 4 or 1.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.augment import quarter_turns, turned_each
from ssl_core.encoders import Encoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import SEEN, Question
from ssl_core.pretext.clips import ClippedTask, as_film, moments
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import VideoRotation

_TURNS = 4


class VideoRotationTask(ClippedTask[VideoRotation]):
    """Rotates clips, all frames of one alike, and asks by how much. The rotation is exact and comes last, as for images."""

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        self.head = nn.Linear(encoder.features, _TURNS)

    def rotated(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Crop, mirror and rotate a batch.

        Args:
            images: uint8 (B, 3, T, R, R).

        Returns:
            uint8 (K * B, 3, T, S, S), all clips by one rotation before the next; and the turns, int64 (K * B,) of 0 to 3.
        """
        upright = self.cropped(images)
        batch, device = len(upright), upright.device
        if self.settings.rotations == "one":
            turns = torch.randint(_TURNS, (batch,), device=device)
            return turned_each(upright, turns), turns
        turned = torch.cat([quarter_turns(upright, number) for number in range(_TURNS)])
        return turned, torch.arange(_TURNS, device=device).repeat_interleave(batch)

    def ask(self, images: Tensor) -> Question:
        """`clips`: (K * B, 3, T, S, S); `turns`: int64 (K * B,)."""
        turned, turns = self.rotated(images)
        return {"clips": self.as_input(turned), "turns": turns}

    def answer(self, question: Question) -> dict[str, Tensor]:
        """`loss`: cross-entropy in nats; `accuracy`: 0 to 1, chance is 0.25."""
        answers = self.head(self.encoder(question["clips"])).float()
        turns = question["turns"]
        return {"loss": functional.cross_entropy(answers, turns), "accuracy": (answers.argmax(1) == turns).float().mean()}

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        upright = self.cropped(images[:2])
        turns = torch.arange(len(upright)) + 1
        shown = turned_each(upright, turns)
        notes = tuple(f"turned by {90 * turn}°" for turn in turns.tolist())
        return (Panel("Clips", as_film(moments(upright, 3))), Panel(SEEN, as_film(moments(shown, 3)), notes))

    def picture(self, images: Tensor) -> Picture:
        upright = self.cropped(images)
        turns = torch.randint(_TURNS, (len(upright),), device=upright.device)
        turned = turned_each(upright, turns)
        answers = self.head(self.encoder(self.as_input(turned))).argmax(1)
        right = (answers == turns).tolist()
        panels = (
            Panel("shown", as_film(turned), tuple(f"{90 * turn} degrees" for turn in turns.tolist())),
            Panel(
                "turned back by the answer",
                as_film(turned_each(turned, (_TURNS - answers) % _TURNS)),
                tuple(f"says {90 * turn}" for turn in answers.tolist()),
                tuple(right),
            ),
        )
        return Picture(panels, f"Of {len(right)} rotated clips, the network tells the rotation of {sum(right)}.")
