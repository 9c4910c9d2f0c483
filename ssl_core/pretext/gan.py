"""Image GAN: is it real?

Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks", ICLR
2016; loss and penalties of Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", NeurIPS 2024; changes of what
both sides show of Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020.
B: batch, S: image side, Z: length of a latent. Images have levels of -1 to 1 here, about so where they are made.
"""

import copy

import torch
from torch import Tensor, nn

from ssl_core.augment import shift_and_flip
from ssl_core.encoders import Encoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.adversarial import LEVELS, AdversarialTask, Average, Head, Scores, as_real_levels, variety
from ssl_core.pretext.base import SEEN, Question, as_picture
from ssl_core.pretext.changes import changed, draw_changes
from ssl_core.pretext.generators import Generator
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import Gan

_ROWS = 3
_COMPARED = 64
_SKETCHED = 32
"""Side of what a generator makes for a preview: before it has learnt anything, a larger one shows nothing more."""


class GanTask(AdversarialTask[Gan]):
    """The encoder tells real images from made ones; a generator makes them, and learns to be believed."""

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        assert self.settings.width != "auto"
        assert self.settings.gamma != "auto"
        self.gamma = self.settings.gamma
        channels, _ = encoder.map_shape(self.size)
        self.head = Head(channels)
        self.generator = Generator(self.settings.latent, self.settings.width, self.size)
        self.average = Average(copy.deepcopy(self.generator), self.settings.ema_images)

    def discriminators(self) -> list[nn.Module]:
        return [self.encoder, self.head]

    def ask(self, images: Tensor) -> Question:
        """Real images and what others are to be made of.

        `real`: (B, 3, S, S), shown as they will be seen; `latents`: (B, Z); `rows`, `columns`: (B, S, S), `colors`: (B, 3, 3),
        `light`: (B, 3, 1), `shown`: (B, 1, S, S), by which those that are made will be changed.
        """
        levels = as_real_levels(shift_and_flip(images, 0, flip=self.settings.flip))
        draws = [draw_changes(len(images), self.size, self.settings.augment, images.device) for _ in range(2)]
        latents = torch.randn(len(images), self.settings.latent, device=images.device)
        return {"real": changed(levels, draws[0]), "latents": latents, **draws[1]}

    def make(self, question: Question) -> tuple[Tensor, dict[str, Tensor]]:
        return changed(self.generator(question["latents"]).float(), question), {}

    def scores(self, real: Tensor, made: Tensor, question: Question) -> dict[str, Scores]:  # noqa: ARG002  one of all is enough
        return {"": Scores(*self.told(self.head, real, made))}

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        assert self.settings.width != "auto"
        question = self.ask(images)
        generator = Generator(self.settings.latent, self.settings.width, min(self.size, _SKETCHED))
        made = generator(question["latents"])
        return (
            Panel(f"{SEEN}: real", as_picture(LEVELS * (question["real"] + 1))),
            Panel("And made, before the generator has learnt anything", as_picture(LEVELS * (made + 1))),
        )

    def picture(self, images: Tensor) -> Picture:
        count = len(images)
        latents = torch.randn(max(_COMPARED, _ROWS * count), self.settings.latent, device=images.device)
        samples = self.average.module(latents).float().clamp(-1, 1)
        panels = [
            Panel("made" if row == 0 else "", as_picture(LEVELS * (samples[row * count : (row + 1) * count] + 1)))
            for row in range(_ROWS)
        ]
        ratio = variety(samples) / max(1e-6, variety(images.float() / LEVELS - 1))
        caption = (
            f"Made of the same latents each time, by the averaged generator. They vary {ratio:.2f} times as much as real images."
        )
        return Picture((*panels, Panel("real", as_picture(images))), caption)
