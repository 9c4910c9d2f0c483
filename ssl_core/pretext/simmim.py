"""SimMIM: what is behind the squares?

Xie et al., "SimMIM: A Simple Framework for Masked Image Modeling", CVPR 2022; targets normalised per square as in He et al.,
"Masked Autoencoders Are Scalable Vision Learners", CVPR 2022.
B: batch, S: image side, U: a square's side, G = S / U: squares in a row, C: channels of the feature map, h: its side.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.encoders import Encoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import SEEN, CroppedTask, Question, as_picture
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import SimMIM

_QUIET = 1e-2
"""Added to a square's standard deviation, of 0 to 1: noise in an even square is not blown up."""


class SimMIMTask(CroppedTask[SimMIM]):
    """Paints squares over with a learned colour and asks for what was there, by a single linear layer on the feature map."""

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        unit = self.settings.unit
        assert unit != "auto"
        self.unit, self.grid = unit, self.size // unit
        self.hidden = min(self.grid**2 - 1, max(1, round(self.settings.hidden * self.grid**2)))
        channels, side = encoder.map_shape(self.size)
        self.stride = -(-self.size // side)
        self.paint = nn.Parameter(torch.zeros(3))
        self.head = nn.Conv2d(channels, 3 * self.stride**2, 1)

    def ask(self, images: Tensor) -> Question:
        """`images`: (B, 3, S, S); `hidden`: (B, 1, S, S), 1 where a square is painted over; `levels`: (B, 3, S, S) of 0 to 1."""
        cropped = self.cropped(images)
        order = torch.rand(len(cropped), self.grid**2, device=cropped.device).argsort(1)
        hidden = (order < self.hidden).float().view(-1, 1, self.grid, self.grid)
        hidden = hidden.repeat_interleave(self.unit, 2).repeat_interleave(self.unit, 3)
        seen = self.as_input(cropped) * (1 - hidden)  # what is hidden does not get any further
        return {"images": seen.contiguous(memory_format=torch.channels_last), "hidden": hidden, "levels": cropped.float() / 255}

    def answer(self, question: Question) -> dict[str, Tensor]:
        """Fill in the squares.

        `loss`: mean absolute error over the hidden pixels, in standard deviations of their square if squares are normalised (where
        answering the mean has about 0.8), else in levels of 0 to 1; `psnr`: in dB, over the hidden pixels, given their squares'
        mean and deviation if these are normalised.
        """
        hidden, levels = question["hidden"], question["levels"]
        answers = self._answers(question)
        mean, deviation = self._scale(levels)
        wanted = (levels - mean) / deviation
        count = 3 * hidden.sum()
        with torch.no_grad():
            error = ((answers.detach() - wanted) * deviation).square().mul(hidden).sum() / count
        return {"loss": ((answers - wanted).abs() * hidden).sum() / count, "psnr": -10 * error.clamp(min=1e-10).log10()}

    def _answers(self, question: Question) -> Tensor:
        """(B, 3, S, S), in fp32."""
        painted = question["images"] + question["hidden"] * self.paint.view(1, 3, 1, 1)
        feature_map = self.encoder.feature_map(painted.contiguous(memory_format=torch.channels_last))
        answers = functional.pixel_shuffle(self.head(feature_map).float(), self.stride)
        return answers[:, :, : self.size, : self.size]

    def _scale(self, levels: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """Mean and standard deviation of each square's levels, (B, 1, S, S) each; 0 and 1 if they are not normalised."""
        if not self.settings.normalize:
            return 0.0, 1.0
        mean = functional.avg_pool2d(levels, self.unit).mean(1, keepdim=True)
        square = functional.avg_pool2d(levels.square(), self.unit).mean(1, keepdim=True)
        deviation = (square - mean.square()).clamp(min=0).sqrt() + _QUIET
        return self._spread(mean), self._spread(deviation)

    def _spread(self, squares: Tensor) -> Tensor:
        return squares.repeat_interleave(self.unit, 2).repeat_interleave(self.unit, 3)

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        question = self.ask(images)
        hidden, levels = question["hidden"], question["levels"]
        shown = as_picture(255 * (levels * (1 - hidden) + 0.5 * hidden))
        return (Panel(SEEN, shown), Panel("What it has to fill in", as_picture(255 * levels)))

    def picture(self, images: Tensor) -> Picture:
        question = self.ask(images)
        hidden, levels = question["hidden"], question["levels"]
        mean, deviation = self._scale(levels)
        filled = levels * (1 - hidden) + (self._answers(question) * deviation + mean) * hidden
        errors = (filled.clamp(0, 1) - levels).square().sum((1, 2, 3)) / (3 * hidden.sum((1, 2, 3)))
        ratios = (-10 * errors.clamp(min=1e-10).log10()).tolist()
        panels = (
            Panel("shown", as_picture(255 * (levels * (1 - hidden) + 0.5 * hidden))),
            Panel("filled in", as_picture(255 * filled), tuple(f"{ratio:.1f} dB" for ratio in ratios)),
            Panel("right", as_picture(255 * levels)),
        )
        told = ", given the mean and deviation of each square" if self.settings.normalize else ""
        return Picture(panels, f"The hidden squares are filled in with a PSNR of {sum(ratios) / len(ratios):.1f} dB{told}.")
