"""What generators and discriminators are trained by, for images and clips.

B: samples, half of a discriminator's batch.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def relativistic_losses(real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    """Losses of the discriminator and of the generator, by how much more real each real sample looks than a made one.

    Jolicoeur-Martineau, "The relativistic discriminator: a key element missing from standard GAN", ICLR 2019. Both are ln 2 where
    nothing can be told.

    Args:
        real: scores (B,) of real samples.
        made: scores (B,) of made ones.
    """
    margin = real - made
    return functional.softplus(-margin).mean(), functional.softplus(margin).mean()


def gradient_penalty(scores: Tensor, samples: Sequence[Tensor]) -> Tensor:
    """Squared length of the scores' gradient with respect to each sample, the mean; differentiable. Summed over groups of samples.

    R1 where the samples are real, R2 where they are made: Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do
    actually Converge?", ICML 2018.

    Args:
        scores: of all samples, computed in fp32.
        samples: groups, each (B, …), which require gradients.
    """
    gradients = torch.autograd.grad(scores.sum(), samples, create_graph=True)
    return torch.stack([gradient.square().flatten(1).sum(1).mean() for gradient in gradients]).sum()


class Average(nn.Module):
    """A moving average of a module's weights, for use in its place.

    Args:
        module: the average, which begins as a copy of what is averaged.
        images: half-life, in images; at the start a twentieth of those seen, so that it does not drag the beginning along.
    """

    _RAMP = 0.05

    def __init__(self, module: nn.Module, images: int) -> None:
        super().__init__()
        self.module = module.requires_grad_(False)
        self.images = images
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.seen: Tensor

    @torch.no_grad()
    def update(self, parameters: Iterable[nn.Parameter], images: int) -> None:
        """Take in the weights after a step with so many images."""
        self.seen += images
        half_life = (self.seen * self._RAMP).clamp(max=self.images)
        taken = 1 - torch.exp2(-images / half_life).float()  # stays on the device
        for average, now in zip(self.module.parameters(), parameters, strict=True):
            average.lerp_(now, taken)
