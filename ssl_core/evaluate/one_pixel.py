"""The one-pixel attack (Su, Vargas and Sakurai, "One Pixel Attack for Fooling Deep Neural Networks", IEEE TEVC 2019).

Differential evolution looks for a place and a colour, by the network's answers alone; it is batched over the images. N: images, P:
population, K: numbers that a member consists of, S: side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ssl_core.errors import InterruptedRun
from ssl_core.evaluate.classifier import BATCH, margins
from ssl_core.process import StopRequest

_FACTOR = 0.5
_LEVELS = 255

Cost = Callable[[Tensor, Tensor], Tensor]
"""Costs (n, P) of members (n, P, K) of the populations of some of the problems, which are numbered by int64 (n,)."""


@dataclass(frozen=True, eq=False)
class Evolved:
    """The best member of each population."""

    members: Tensor
    """(N, K)."""
    costs: Tensor
    """(N,)."""
    generations: Tensor
    """int64 (N,): how often each population was bred."""


def evolve(
    cost: Cost, first: Tensor, low: Tensor, high: Tensor, *, generations: int, enough: float, generator: torch.Generator
) -> Evolved:
    """Differential evolution of N populations side by side (Storn and Price, 1997; as Su et al. have it, without crossover).

    A child is one member plus half of the difference of two others, and takes its parent's place if it costs no more. A population
    with a member that costs no more than `enough` is done.

    Args:
        cost: what is made small.
        first: the populations to begin with, (N, P, K), P at least 4.
        low: (K,), the bounds.
        high: (K,).
        generations: most rounds.
        enough: see above.
        generator: of all draws; on the CPU.
    """
    members = first.clone()
    problems, count = first.shape[:2]
    everyone = torch.arange(problems)
    costs = cost(members, everyone)
    bred = torch.zeros(problems, dtype=torch.int64)
    for _ in range(generations):
        left = (costs.amin(1) > enough).nonzero().squeeze(1)
        if not len(left):
            break
        # Three different members for each child, drawn for all populations, so that draws do not depend on which are left.
        one = torch.randint(count, (problems, count), generator=generator)
        apart = torch.randint(1, count, (problems, count), generator=generator)
        further = torch.randint(1, count - 1, (problems, count), generator=generator)
        further = further + (further >= apart)
        bases, plus, minus = (
            torch.gather(members, 1, ((one + offset) % count).unsqueeze(2).expand_as(members)) for offset in (0, apart, further)
        )
        children = torch.clamp(bases + _FACTOR * (plus - minus), low, high)[left]
        found = cost(children, left)
        better = found <= costs[left]
        members[left] = torch.where(better.unsqueeze(2), children, members[left])
        costs[left] = torch.where(better, found, costs[left])
        bred[left] += 1
    best = costs.argmin(1)
    return Evolved(members[everyone, best], costs[everyone, best], bred)


def one_pixel(
    classifier: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    population: int,
    generations: int,
    stop: StopRequest,
) -> list[dict[str, Any]]:
    """Look for a pixel of each image that fools the network when it is changed.

    Args:
        classifier: logits of pixels of 0 to 1.
        pixels: (N, 3, S, S), on the classifier's device.
        labels: int64 (N,), what the network rightly says of them.
        generator: of all draws; on the CPU.
        population: P.
        generations: most rounds.
        stop: looked at between batches.

    Returns:
        Of each image `fooled`, the worst `row`, `column` and `color` (levels of 0 to 255), `predicted`, what the network then says,
        and `queries`, how many images it was asked about.

    Raises:
        InterruptedRun: it was asked to stop.
    """
    side = pixels.shape[-1]

    @torch.no_grad()
    def asked(members: Tensor, which: Tensor) -> Tensor:
        """Logits of flat members (n, 5), each of the image that `which` (n,) names."""
        parts = []
        for some, of in zip(torch.split(members, BATCH), torch.split(which, BATCH), strict=True):
            if stop:
                raise InterruptedRun
            parts.append(classifier(with_pixel(pixels[of.to(pixels.device)], some)))
        return torch.cat(parts)

    def cost(members: Tensor, which: Tensor) -> Tensor:
        of = which.repeat_interleave(members.shape[1])
        found = margins(asked(members.flatten(0, 1), of), labels[of.to(labels.device)])
        return found.view(members.shape[:2]).cpu()

    places = side * torch.rand((len(pixels), population, 2), generator=generator)
    colors = 128 + 127 * torch.randn((len(pixels), population, 3), generator=generator)
    low, high = torch.zeros(5), torch.tensor([side - 1, side - 1, _LEVELS, _LEVELS, _LEVELS], dtype=torch.float32)
    first = torch.clamp(torch.cat([places, colors], 2), low, high)
    found = evolve(cost, first, low, high, generations=generations, enough=0, generator=generator)
    said = asked(found.members, torch.arange(len(pixels))).argmax(1).tolist()
    return [
        {
            "fooled": bool(found.costs[number] <= 0),
            "row": int(member[0]),
            "column": int(member[1]),
            "color": [int(level) for level in member[2:]],
            "predicted": said[number],
            "queries": int((1 + found.generations[number]) * population),
        }
        for number, member in enumerate(found.members.round())
    ]


def with_pixel(images: Tensor, members: Tensor) -> Tensor:
    """Images (n, 3, S, S) of 0 to 1, each with one pixel changed: members (n, 5) are row, column and a colour of 0 to 255."""
    rounded = members.round().to(images.device)
    changed = images.clone()
    number, row, column = torch.arange(len(images), device=images.device), rounded[:, 0].long(), rounded[:, 1].long()
    changed[number, :, row, column] = rounded[:, 2:] / _LEVELS
    return changed
