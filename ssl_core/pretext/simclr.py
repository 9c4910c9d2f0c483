"""SimCLR: which of these is the other view of the same image?

Chen, Kornblith, Norouzi and Hinton, "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020.
B: batch, S: image side, P: length of the projections.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ssl_core.encoders import Encoder
from ssl_core.pretext.base import Question
from ssl_core.pretext.two_views import TwoViewsTask, health, projector
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import SimCLR


class SimCLRTask(TwoViewsTask[SimCLR]):
    """Pulls the projections of an image's views together and pushes those of others away (NT-Xent)."""

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        self.head = projector(encoder.features, max(encoder.features, self.settings.projection), self.settings.projection, layers=2)

    def answer(self, question: Question) -> dict[str, Tensor]:
        """Compare each view with all others.

        `loss`: NT-Xent in nats, at first about ln(2B - 1); `accuracy`: share of views to which, of all others, the same image's
        is nearest, 0 to 1; and the figures of `health`.
        """
        features = self.encoder(question["views"])
        projections = functional.normalize(self.head(features).float(), dim=1)
        loss, accuracy = contrast(projections, self.settings.temperature)
        return {"loss": loss, "accuracy": accuracy, **health(features)}


def contrast(projections: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """NT-Xent and the accuracy of the nearest neighbour.

    Args:
        projections: unit vectors (2 * B, P), those of the first views before those of the second.
        temperature: of the softmax.
    """
    count = len(projections)
    with torch.autocast(projections.device.type, enabled=False):
        logits = projections @ projections.T / temperature  # (2B, 2B)
    logits = logits.masked_fill(torch.eye(count, dtype=torch.bool, device=logits.device), float("-inf"))
    partner = torch.arange(count, device=logits.device).roll(count // 2)
    return functional.cross_entropy(logits, partner), (logits.argmax(1) == partner).float().mean()
