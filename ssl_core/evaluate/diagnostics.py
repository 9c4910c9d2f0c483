"""Figures of features that need no labels. N: images, D: features.

They tell progress and collapse within one training. Between tasks they do not say which features are better.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_EPSILON = 1e-7
_FIRST_RANK, _LAST_RANK = 11, 100
_FEWEST_RANKS = 10


def rankme(features: Tensor) -> float:
    """Effective number of dimensions that features (N, D) fill, 1 to min(N, D).

    Garrido et al., "RankMe: Assessing the Downstream Performance of Pretrained Self-Supervised Representations by Their Rank",
    ICML 2023: exp of the entropy of p = s / |s|_1 + 1e-7, s the singular values, of the features as they are, not centred.
    """
    values = torch.linalg.svdvals(features.double())
    total = values.sum()
    if not total > 0:
        return 1.0
    shares = values / total + _EPSILON
    return float((-(shares * shares.log()).sum()).exp())


def alpha_req(features: Tensor) -> float | None:
    """Exponent by which the variances of features (N, D) along their principal axes fall off; about 1 is good.

    Agrawal et al., "alpha-ReQ: Assessing Representation Quality in Self-Supervised Learning by Measuring Eigenspectrum Decay",
    NeurIPS 2022. The slope of a line through ranks 11 to 100 of the spectrum, on logarithmic axes; None if it has too few.
    """
    centred = features.double() - features.double().mean(0)
    variances = torch.linalg.svdvals(centred).square()
    last = min(_LAST_RANK, len(variances), len(features) - 1)
    ranks = torch.arange(_FIRST_RANK, last + 1, dtype=torch.float64, device=features.device)
    kept = variances[_FIRST_RANK - 1 : last]
    kept_ranks = ranks[: len(kept)][kept > 1e-12 * variances[0]]
    kept = kept[kept > 1e-12 * variances[0]]
    if len(kept) < _FEWEST_RANKS:
        return None
    x, y = kept_ranks.log(), kept.log()
    x, y = x - x.mean(), y - y.mean()
    return -float((x * y).sum() / x.square().sum())


def feature_std(features: Tensor) -> float:
    """Standard deviation over the images of unit features (N, D), times the root of D: 1 if they point everywhere, 0 if one way."""
    unit = functional.normalize(features.float(), dim=1)
    return float(unit.std(0, correction=0).mean()) * math.sqrt(unit.shape[1])


def uniformity(features: Tensor) -> float:
    """Logarithm of the mean of exp(-2 d^2) over pairs of unit features (N, D): 0 if all are equal, and lower is better.

    Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere", ICML
    2020.
    """
    unit = functional.normalize(features.float(), dim=1)
    squares = (2 - 2 * unit @ unit.T).clamp(min=0)
    count = len(unit)
    total = (-2 * squares).exp().sum() - (-2 * squares.diagonal()).exp().sum()
    return float((total / (count * (count - 1))).log())


def alignment(one: Tensor, other: Tensor) -> float:
    """Mean squared distance between the unit features (N, D) of two views of each image, 0 to 4."""
    return float((functional.normalize(one.float(), dim=1) - functional.normalize(other.float(), dim=1)).square().sum(1).mean())
