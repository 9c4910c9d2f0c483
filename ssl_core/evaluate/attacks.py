"""Attacks that may move every value of an image by epsilon, and what they have to be compared with.

B: batch, S: side, C: classes. Pixels are 0 to 1, (B, 3, S, S) or clips (B, 3, T, S, S); labels are int64 (B,). All are untargeted,
and what they make stays within epsilon of the image and within 0 to 1. It is not rounded to levels of 8 bits. Draws come from a
generator on the CPU, and are made for all images whether they are fooled already or not, so that they depend on nothing else.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.errors import InterruptedRun
from ssl_core.evaluate.classifier import logits_of, margins
from ssl_core.process import StopRequest

_STRIDE = 2.5
"""Steps of projected gradient descent are this times epsilon over their number (Madry et al., ICLR 2018)."""
_LARGEST_SPREAD = 10.0
_FIRST_SHARE = 0.8
_HALVED_AT = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""After which shares of the queries the squares of the search without gradients get half as large; as its authors have it."""


@dataclass(frozen=True, eq=False)
class Attacked:
    """What an attack came to."""

    images: Tensor
    """(B, …): of each image the one that the network came nearest to getting wrong, or gets wrong."""
    fooled: Tensor
    """bool (B,): whether it gets it wrong."""
    after: Tensor
    """int64 (B,): after how many steps or queries it did; -1 where it did not."""

    @classmethod
    def joined(cls, parts: "list[Attacked]") -> "Attacked":
        """Several as one."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in ("images", "fooled", "after")))


class _Worst:
    """The worst image found so far of each. An attack that goes on can only become stronger."""

    def __init__(self, pixels: Tensor, epsilon: float) -> None:
        self._pixels, self._epsilon = pixels, epsilon
        self.images = pixels.clone()
        self.margins = torch.full((len(pixels),), torch.inf, device=pixels.device)
        self.after = torch.full((len(pixels),), -1, device=pixels.device)

    def left(self) -> Tensor:
        """int64: the places of those that are not fooled yet."""
        return (self.margins > 0).nonzero().squeeze(1)

    def take(self, places: Tensor, images: Tensor, found: Tensor, after: int) -> Tensor:
        """Keep images (b, …) with margins (b,) where they are worse. Tells where, bool (b,)."""
        worse = found < self.margins[places]
        self.images[places[worse]] = images[worse]
        self.margins[places[worse]] = found[worse]
        self.after[places[worse & (found <= 0)]] = after
        return worse

    def attacked(self) -> Attacked:
        """What came of it. An attack that left its bounds would be worth nothing."""
        assert float((self.images - self._pixels).abs().max()) <= self._epsilon + 1e-6
        assert float(self.images.min()) >= 0
        assert float(self.images.max()) <= 1
        return Attacked(self.images, self.margins <= 0, self.after)


def gradient(classifier: nn.Module, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Margins (B,), and the gradient (B, …) of the cross-entropy by the pixels.

    Logits that lie far apart are brought nearer first, each image's by a factor of its own: a loss that is 0 to the last digit
    has no gradient, and would pass for a defence.
    """
    asked = pixels.detach().requires_grad_()
    logits: Tensor = classifier(asked)
    spread = (logits.amax(1) - logits.amin(1)).detach()
    nearer = logits * (_LARGEST_SPREAD / spread.clamp(min=_LARGEST_SPREAD)).unsqueeze(1)
    loss = functional.cross_entropy(nearer, labels, reduction="sum")
    (found,) = torch.autograd.grad(loss, asked)
    return margins(logits.detach(), labels), found


def noise(classifier: nn.Module, pixels: Tensor, labels: Tensor, epsilon: float, generator: torch.Generator) -> Attacked:
    """Every value moved by epsilon up or down at random: as far as an attack may, and in no direction that matters."""
    worst = _Worst(pixels, epsilon)
    moved = (pixels + epsilon * _signs(pixels.shape, generator, pixels.device)).clamp(0, 1)
    with torch.no_grad():
        worst.take(torch.arange(len(pixels), device=pixels.device), moved, margins(classifier(moved), labels), 1)
    return worst.attacked()


def fgsm(classifier: nn.Module, pixels: Tensor, labels: Tensor, epsilon: float) -> Attacked:
    """One step as far as it may go (Goodfellow et al., "Explaining and Harnessing Adversarial Examples", ICLR 2015)."""
    worst = _Worst(pixels, epsilon)
    _, direction = gradient(classifier, pixels, labels)
    moved = (pixels + epsilon * direction.sign()).clamp(0, 1)
    with torch.no_grad():
        worst.take(torch.arange(len(pixels), device=pixels.device), moved, margins(classifier(moved), labels), 1)
    return worst.attacked()


def pgd(
    classifier: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    epsilon: float,
    generator: torch.Generator,
    *,
    steps: int,
    restarts: int = 1,
    stop: StopRequest,
) -> Attacked:
    """Projected gradient descent from random beginnings (Madry et al., "Towards Deep Learning Models Resistant to …", ICLR 2018).

    An image that is fooled is left alone from then on; of the others the worst so far is kept.

    Raises:
        InterruptedRun: it was asked to stop.
    """
    worst = _Worst(pixels, epsilon)
    for restart in range(restarts):
        start = 2 * torch.rand(pixels.shape, generator=generator) - 1
        current = (pixels + epsilon * start.to(pixels.device)).clamp(0, 1)
        for step in range(steps + 1):
            left = worst.left()
            if not len(left):
                break
            if stop:
                raise InterruptedRun
            found, direction = gradient(classifier, current[left], labels[left])
            worst.take(left, current[left], found, restart * steps + step)
            moved = current[left] + _STRIDE * epsilon / steps * direction.sign()
            current[left] = torch.clamp(moved, pixels[left] - epsilon, pixels[left] + epsilon).clamp(0, 1)
    return worst.attacked()


def square(
    classifier: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    epsilon: float,
    generator: torch.Generator,
    *,
    queries: int,
    stop: StopRequest,
) -> Attacked:
    """A random search that asks for answers alone: squares that shrink (Andriushchenko et al., "Square Attack", ECCV 2020).

    It is the control of the attacks that follow gradients: where it fools more images than these, they do not see what there is.

    Raises:
        InterruptedRun: it was asked to stop.
    """
    batch, side, device = len(pixels), pixels.shape[-1], pixels.device
    worst = _Worst(pixels, epsilon)
    frames = [1] * (pixels.ndim - 4)
    # The first question: vertical stripes.
    moved = epsilon * _signs((batch, 3, *frames, 1, side), generator, device).expand_as(pixels).contiguous()
    place = torch.arange(side)
    for query in range(queries):
        if stop:
            raise InterruptedRun
        left = worst.left()
        if not len(left):
            break
        tried = moved[left]
        if query:
            length = _length(query / queries, side)
            top, before = torch.randint(side - length + 1, (2, batch, 1), generator=generator)
            rows, columns = (((place >= at) & (place < at + length)) for at in (top, before))  # each (B, S)
            inside = (rows.unsqueeze(2) & columns.unsqueeze(1)).view(batch, 1, *frames, side, side).to(device)
            color = epsilon * _signs((batch, 3, *frames, 1, 1), generator, device)
            tried = torch.where(inside[left], color[left], tried)
        images = (pixels[left] + tried).clamp(0, 1)
        with torch.no_grad():
            found = margins(classifier(images), labels[left])
        worse = worst.take(left, images, found, query + 1)
        moved[left[worse]] = tried[worse]
    return worst.attacked()


def transferred(classifier: nn.Module, images: Tensor, labels: Tensor, stop: StopRequest) -> Tensor:
    """Whether images (B, …) that were made against another network fool this one: bool (B,)."""
    return margins(logits_of(classifier, images, stop), labels) <= 0


def _length(share: float, side: int) -> int:
    """Side of the squares, in pixels, once so many of the queries are asked."""
    area = _FIRST_SHARE / 2 ** sum(share > at for at in _HALVED_AT)
    return min(side, max(1, round(math.sqrt(area) * side)))


def _signs(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    """-1 or 1, at random."""
    return (2 * torch.randint(2, shape, generator=generator) - 1).to(device, torch.float32)
