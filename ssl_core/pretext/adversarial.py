"""What generators and discriminators are trained by, for images and clips.

B: samples, half of a discriminator's batch; S: side; T: frames of a clip; C: channels of feature maps.
Samples have levels of -1 to 1 here, about so where they are made.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import Optimizer

from ssl_core.encoders import Encoder
from ssl_core.optim import build_optimizer
from ssl_core.pretext.base import PretextTask, Question
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import Task

AdversarialT = TypeVar("AdversarialT", bound=Task)

LEVELS = 127.5
_HEAD = 128
_SLOPE = 0.2


class Scores(NamedTuple):
    """How real the samples of two batches look to a discriminator, (B,) each."""

    real: Tensor
    made: Tensor


class AdversarialTask(PretextTask[AdversarialT]):
    """The encoder tells real samples from made ones; a generator makes them, and learns to be believed.

    A question has the real samples, shown as they will be seen, as `real`, and what others are to be made of. A subclass sets what
    follows.
    """

    generator: nn.Module
    average: "Average"
    """Of the generator."""
    gamma: float
    """Weight of the sum of R1 and R2, times two."""

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        replace_hard_sigmoids(encoder)

    @abstractmethod
    def discriminators(self) -> list[nn.Module]:
        """The encoder, and what else is trained to tell real samples from made ones."""

    @abstractmethod
    def make(self, question: Question) -> tuple[Tensor, dict[str, Tensor]]:
        """Made samples, in fp32, shown as they will be seen, and what the generator is to keep small besides, by name."""

    @abstractmethod
    def scores(self, real: Tensor, made: Tensor, question: Question) -> dict[str, Scores]:
        """What each discriminator says, by what the names of its figures begin with; that of the encoder by "".

        Real and made samples go through a network as one batch: batch norm sees both alike.
        """

    def judge(self, real: Tensor, made: Tensor, question: Question) -> tuple[dict[str, Scores], dict[str, Scores]]:
        """`scores`, and what the discriminators are asked besides, without the generator: of real samples and of others."""
        return self.scores(real, made, question), {}

    def optimizers(self) -> list[Optimizer]:
        """That of the discriminators, and that of the generator."""
        players = (nn.ModuleList(self.discriminators()), self.generator)
        return [build_optimizer(module, self.spec.optimizer) for module in players]

    def answer(self, question: Question) -> dict[str, Tensor]:
        """Tell real from made.

        `loss`: the discriminator's, without its penalties, ln 2 where nothing can be told; `generator_loss`: its mirror; `margin`:
        how much higher real samples are scored; `accuracy`: share of pairs in which the real sample is scored higher, one half by
        guessing.
        """
        made, costs = self.make(question)
        return _figures(self.scores(question["real"], made, question)) | costs

    def training_step(self, question: Question, optimizers: list[Optimizer]) -> dict[str, Tensor]:
        """Train the discriminators, then the generator by what they say now. `penalty`: sum of R1 and R2, times half of gamma."""
        discriminator, generator = optimizers
        with self.autocast():
            made, costs = self.make(question)
        metrics = self.train_discriminators(question, made.detach(), discriminator)

        for module in self.discriminators():
            module.requires_grad_(False)
        with self.autocast():
            scored = self.scores(question["real"], made, question)
        losses = {f"{name}generator_loss": relativistic_losses(*each)[1] for name, each in scored.items()}
        generator.zero_grad(set_to_none=True)
        total = torch.stack([*losses.values(), *costs.values()]).sum()
        total.backward()  # type: ignore[no-untyped-call]  # torch's stubs lack it
        generator.step()
        for module in self.discriminators():
            module.requires_grad_(True)
        self.average.update(self.generator.parameters(), len(made))
        return metrics | {name: value.detach() for name, value in (losses | costs).items()}

    def train_discriminators(self, question: Question, made: Tensor, optimizer: Optimizer) -> dict[str, Tensor]:
        """One step, in fp32 whatever was asked for: the penalties are gradients of it."""
        real, made = question["real"].detach().requires_grad_(), made.requires_grad_()
        scored, more = self.judge(real, made, question)
        metrics = _figures(scored)
        penalties = [gradient_penalty(torch.cat(each), (real, made)) for each in scored.values()]
        metrics["penalty"] = self.gamma / 2 * torch.stack(penalties).sum()
        for name, each in more.items():
            metrics[f"{name}loss"], _ = relativistic_losses(*each)
            metrics[f"{name}accuracy"] = (each.real > each.made).float().mean()
        losses = [metrics[f"{name}loss"] for name in (*scored, *more)]
        optimizer.zero_grad(set_to_none=True)
        torch.stack([*losses, metrics["penalty"]]).sum().backward()  # type: ignore[no-untyped-call]  # torch's stubs lack it
        optimizer.step()
        return {name: value.detach() for name, value in metrics.items()}

    def told(self, head: nn.Module, *groups: Tensor) -> tuple[Tensor, ...]:
        """What the encoder with a head says of groups of as many samples each."""
        samples = self.as_input((torch.cat(groups) + 1) * LEVELS)
        with sdpa_kernel(SDPBackend.MATH):  # the only attention whose gradient has a gradient
            scored: Tensor = head(self.encoder.feature_map(samples)).float()
        return torch.split(scored, len(groups[0]))


def _figures(scored: dict[str, Scores]) -> dict[str, Tensor]:
    metrics: dict[str, Tensor] = {}
    for name, (real, made) in scored.items():
        metrics[f"{name}loss"], metrics[f"{name}generator_loss"] = relativistic_losses(real, made)
        with torch.no_grad():
            metrics[f"{name}margin"] = (real - made).mean()
            metrics[f"{name}accuracy"] = (real > made).float().mean()
    return metrics


def as_real_levels(samples: Tensor) -> Tensor:
    """uint8 samples as levels of -1 to 1. A made sample has any level, so a real one must not be known by having whole ones."""
    return (samples + torch.rand(samples.shape, device=samples.device) - 0.5) / LEVELS - 1


def variety(samples: Tensor) -> float:
    """Root mean square difference of the samples of a batch from their mean."""
    return float((samples - samples.mean(0)).square().mean().mul(len(samples) / max(1, len(samples) - 1)).sqrt())


class Head(nn.Module):
    """Scores feature maps: two layers at each place, and their mean.

    Args:
        channels: C.
        dimensions: 2 of images, 3 of clips.
    """

    def __init__(self, channels: int, dimensions: int = 2) -> None:
        super().__init__()
        self.places = (nn.Conv2d if dimensions == 2 else nn.Conv3d)(channels, _HEAD, 1)
        self.score = nn.Linear(_HEAD, 1)

    def forward(self, feature_map: Tensor) -> Tensor:
        """(B,) of (B, C, …)."""
        places = functional.leaky_relu(self.places(feature_map), _SLOPE)
        scores: Tensor = self.score(places.flatten(2).mean(2))
        return scores.squeeze(1)


def replace_hard_sigmoids(network: nn.Module) -> None:
    """Put the same function in their place, of parts whose gradients have gradients."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Hardsigmoid):
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, HardSigmoid())


class HardSigmoid(nn.Module):
    """`torch.nn.Hardsigmoid`, differentiable twice."""

    def forward(self, values: Tensor) -> Tensor:
        """min(max(x + 3, 0), 6) / 6."""
        return functional.relu6(values + 3) / 6


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
