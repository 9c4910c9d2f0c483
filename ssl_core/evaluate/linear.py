"""Linear probe: what a linear classifier reads out of frozen features.

Multinomial logistic regression on standardised features, trained to its optimum by full-batch L-BFGS. How strongly its weights are
held down is chosen on a part of the training images, never on the test set; then it is trained on all of them. Chen et al.'s SimCLR
and Radford et al.'s CLIP probe features so. N: training images, M: test images, D: features, C: classes, from 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

STRENGTHS = (1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
"""Weights of half the squared length of the weights, beside a cross-entropy that is a mean over the images. Strongest first."""
_ITERATIONS = 100
_SMALLEST_GRADIENT = 1e-4
_PATIENCE = 2
"""Weaker strengths in a row that are no better, after which none weaker is tried."""
_SMALLEST_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Probe:
    """Figures of a linear probe."""

    accuracy: float
    """Share of the test images, 0 to 1, whose class it names rightly."""
    validation_accuracy: float
    """The same of the part of the training images by which the strength was chosen, when trained on the rest of them."""
    strength: float
    """The L2 strength that was chosen."""
    predicted: Labels
    """int64 (M,): the classes that it names."""
    head: "LinearHead"
    """The classifier itself."""


class LinearHead(nn.Module):
    """A probe's classifier: logits (B, C) of features (B, D).

    Args:
        mean: (D,), of the features that it was trained on.
        spread: (D,), their standard deviations.
        weights: (D + 1, C), for standardised features; the biases last.
    """

    def __init__(self, mean: Tensor, spread: Tensor, weights: Tensor) -> None:
        super().__init__()
        for name, value in (("mean", mean), ("spread", spread), ("weights", weights)):
            self.register_buffer(name, value)
        self.mean: Tensor
        self.spread: Tensor
        self.weights: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, C) of features (B, D)."""
        return (features - self.mean) / self.spread @ self.weights[:-1] + self.weights[-1]


def linear_accuracy(features: Floats, labels: Labels, test_features: Floats, test_labels: Labels) -> float:
    """Share of the test images, 0 to 1, that a linear probe classifies rightly. Arguments as of `linear_probe`."""
    return linear_probe(features, labels, test_features, test_labels).accuracy


def linear_probe(
    features: Floats,
    labels: Labels,
    test_features: Floats,
    test_labels: Labels,
    *,
    strengths: Sequence[float] = STRENGTHS,
    validation_share: float = 0.2,
    seed: int = 0,
    device: torch.device | None = None,
) -> Probe:
    """Train a linear probe and test it once. The same arguments give the same figures.

    Args:
        features: float32 (N, D).
        labels: int64 (N,), from 0.
        test_features: float32 (M, D).
        test_labels: int64 (M,).
        strengths: L2 strengths to choose from; of equally good ones the first is taken.
        validation_share: share of the training images by which the strength is chosen. 0 to 1.
        seed: of which images these are.
        device: where to compute; by default the CPU.
    """
    chosen, held_out = split(len(labels), validation_share, seed)
    device = device or torch.device("cpu")
    classes = int(labels.max()) + 1
    x, y = torch.from_numpy(features).to(device), torch.from_numpy(labels).to(device)
    rows, others = torch.from_numpy(chosen).to(device), torch.from_numpy(held_out).to(device)
    part = _Problem(x[rows], y[rows], classes)
    best = _Candidate(-1.0, strengths[0], torch.zeros(x.shape[1] + 1, classes, device=device))
    worse = 0
    for strength, weights in part.solutions(strengths):
        accuracy = part.accuracy(weights, x[others], y[others])
        better = accuracy > best.accuracy
        worse = 0 if better else worse + 1
        best = _Candidate(accuracy, strength, weights) if better else best
        if worse == _PATIENCE:
            break
    whole = _Problem(x, y, classes)
    ((_, weights),) = whole.solutions([best.strength], best.weights)
    test, truth = torch.from_numpy(test_features).to(device), torch.from_numpy(test_labels).to(device)
    head = whole.head(weights)
    predicted = head(test).argmax(1)
    return Probe(_share(predicted == truth), best.accuracy, best.strength, predicted.cpu().numpy(), head)


@dataclass(frozen=True)
class _Candidate:
    accuracy: float
    strength: float
    weights: Tensor


def split(count: int, validation_share: float = 0.2, seed: int = 0) -> tuple[Labels, Labels]:
    """Which of `count` images train and which validate, drawn at random: int64 indices, in order."""
    order = np.random.default_rng(seed).permutation(count)
    held_out = max(1, round(count * validation_share))
    return np.sort(order[held_out:]), np.sort(order[:held_out])


class _Problem:
    """Logistic regression in coordinates in which L-BFGS converges fast, however the features correlate.

    Features are standardised and turned to the principal axes. There the curvature of the cross-entropy is at most half of each
    axis's variance, and each axis is scaled by it. The solution is that of the problem in the standardised features.

    Args:
        x: float32 (N, D).
        y: int64 (N,), from 0.
        classes: C.
    """

    def __init__(self, x: Tensor, y: Tensor, classes: int) -> None:
        self._y, self._classes = y, classes
        self._mean = x.mean(0)
        spread = x.std(0, correction=0)
        self._spread = torch.where(spread > _SMALLEST_SPREAD, spread, torch.ones_like(spread))
        standard = self._standardised(x)
        variances, self._axes = (part.float() for part in torch.linalg.eigh((standard.T @ standard).double() / len(x)))
        self._variances = variances.clamp(min=0)  # (D,)
        self._turned = standard @ self._axes  # (N, D)

    def _standardised(self, x: Tensor) -> Tensor:
        return (x - self._mean) / self._spread

    def accuracy(self, weights: Tensor, x: Tensor, y: Tensor) -> float:
        """Share, 0 to 1, of the images with features (M, D) and classes (M,) that weights (D + 1, C) classify rightly."""
        return _share(self.head(weights)(x).argmax(1) == y)

    def head(self, weights: Tensor) -> LinearHead:
        """The classifier with weights (D + 1, C)."""
        return LinearHead(self._mean, self._spread, weights)

    def solutions(self, strengths: Sequence[float], start: Tensor | None = None) -> Iterator[tuple[float, Tensor]]:
        """Each strength with its weights (D + 1, C) for standardised features, the biases last; each begins from the one before."""
        weights = torch.zeros(len(self._variances) + 1, self._classes, device=self._y.device) if start is None else start
        for strength in strengths:
            weights = self._solve(strength, weights)
            yield strength, weights

    def _solve(self, strength: float, start: Tensor) -> Tensor:
        """Weights (D + 1, C) of least loss, beginning from these."""
        scale = (self._variances / 2 + strength).rsqrt().unsqueeze(1)
        scaled = (self._axes.T @ start[:-1] / scale).requires_grad_()
        bias = start[-1].clone().requires_grad_()
        optimizer: Any = torch.optim.LBFGS(
            [scaled, bias],
            max_iter=_ITERATIONS,
            tolerance_grad=_SMALLEST_GRADIENT,
            tolerance_change=1e-9,
            line_search_fn="strong_wolfe",
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            weights = scale * scaled
            value: Tensor = functional.cross_entropy(self._turned @ weights + bias, self._y) + strength / 2 * weights.square().sum()
            torch.autograd.backward(value)
            return value

        optimizer.step(loss)
        return torch.cat([self._axes @ (scale * scaled), bias.unsqueeze(0)]).detach()


def _share(right: Tensor) -> float:
    return int(right.sum()) / len(right)
