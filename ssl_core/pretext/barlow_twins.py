"""Barlow Twins: the same features of both views, each feature for itself.

Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021.
B: batch, S: image side, P: length of the projections.
"""

import torch
from torch import Tensor

from ssl_core.encoders import Encoder
from ssl_core.pretext.base import Question
from ssl_core.pretext.two_views import TwoViewsTask, health, projector
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import BarlowTwins

_EPSILON = 1e-5


class BarlowTwinsTask(TwoViewsTask[BarlowTwins]):
    """Makes the correlations between the projections of both views those of the identity."""

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        self.head = projector(encoder.features, self.settings.projection, self.settings.projection, layers=3)

    def answer(self, question: Question) -> dict[str, Tensor]:
        """Correlate the views' projections.

        `loss`: squared distance of the correlations from the identity, a P-th of the paper's so that it does not grow with P;
        `invariance`: mean correlation of a feature with itself in the other view, up to 1; `redundancy`: root mean square of the
        correlations between different features; and the figures of `health`.
        """
        features = self.encoder(question["views"])
        one, other = self.head(features).float().chunk(2)
        with torch.autocast(one.device.type, enabled=False):
            correlations = standardized(one).T @ standardized(other) / len(one)  # (P, P)
        itself = correlations.diagonal()
        count = len(itself)
        between = correlations.square().sum() - itself.square().sum()
        loss = ((1 - itself).square().sum() + self.settings.redundancy * between) / count
        redundancy = (between.detach().clamp(min=0) / (count * (count - 1))).sqrt()
        return {"loss": loss, "invariance": itself.detach().mean(), "redundancy": redundancy, **health(features)}


def standardized(values: Tensor) -> Tensor:
    """(B, P), each column with mean 0 and standard deviation 1 over the batch."""
    centred = values - values.mean(0)
    return centred * (centred.square().mean(0) + _EPSILON).rsqrt()
