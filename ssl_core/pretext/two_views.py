"""What tasks have in common that compare two views of an image.

B: batch, R: side of the images as they come, S: side of what the network sees, D: features, P: length of the projections.
"""

import math
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.augment import view
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import SEEN, PretextTask, Question, as_picture
from ssl_core.spec.tasks import TwoViews

TwoViewsT = TypeVar("TwoViewsT", bound=TwoViews)


class TwoViewsTask(PretextTask[TwoViewsT]):
    """Makes two views of each image by draws of their own, and looks at how near the answers are to each other."""

    def ask(self, images: Tensor) -> Question:
        """`views`: (2 * B, 3, S, S), the first views of all images before the second ones."""
        return {"views": self.as_input(self._levels(images))}

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        one, other = (as_picture(half) for half in self._levels(images).chunk(2))
        whole = as_picture(functional.interpolate(images.float(), (self.size, self.size), mode="area"))
        return (Panel("Images", whole), Panel(f"{SEEN}: one view", one), Panel("The other view", other))

    def picture(self, images: Tensor) -> Picture:
        levels = self._levels(images)
        features = functional.normalize(self.encoder(self.as_input(levels)).float(), dim=1)
        one, other = features.chunk(2)
        similar = one @ other.T  # (B, B)
        nearest = similar.argmax(1)
        right = (nearest == torch.arange(len(images), device=images.device)).tolist()
        shown, answered = (as_picture(half) for half in levels.chunk(2))
        panels = (
            Panel("one view", shown),
            Panel("other view", answered, tuple(f"cosine {value:.2f}" for value in similar.diagonal().tolist())),
            Panel(
                "nearest view", answered[nearest.cpu().numpy()], tuple(f"of image {number + 1}" for number in nearest), tuple(right)
            ),
        )
        return Picture(
            panels, f"Of {len(right)} views, the features of {sum(right)} are nearest to those of the same image's other view."
        )

    def _levels(self, images: Tensor) -> Tensor:
        task = self.settings
        assert task.blur != "auto"
        return view(
            torch.cat([images, images]),
            self.size,
            scale=task.crop_scale,
            flip=task.flip,
            jitter=task.jitter,
            grayscale=task.grayscale,
            blur=task.blur,
        )


def projector(features: int, hidden: int, outputs: int, layers: int) -> nn.Sequential:
    """Linear layers with batch normalisation and ReLU between them; (B, D) to (B, P)."""
    sizes = [features, *[hidden] * (layers - 1)]
    inner: list[nn.Module] = []
    for inputs, width in pairwise(sizes):
        inner += [nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*inner, nn.Linear(sizes[-1], outputs, bias=False))


def health(features: Tensor) -> dict[str, Tensor]:
    """Whether features collapse.

    Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere", ICML
    2020.

    Args:
        features: (2 * B, D), of the first views before those of the second.

    Returns:
        `alignment`: mean squared distance between the unit features of an image's views, 0 to 4; `uniformity`: logarithm of the
        mean of exp(-2 d^2) over pairs of images, 0 if all features are equal, and lower is better; `feature_std`: standard
        deviation over the batch of a unit feature, times the root of D: about 1 is good, near 0 is a collapse.
    """
    with torch.no_grad():
        unit = functional.normalize(features.float(), dim=1)
        one, other = unit.chunk(2)
        count = len(one)
        squares = (2 - 2 * one @ one.T).clamp(min=0)  # (B, B)
        total = (-2 * squares).exp().sum() - count  # without the images' distances from themselves
        return {
            "alignment": (one - other).square().sum(1).mean(),
            "uniformity": (total / (count * (count - 1))).log(),
            "feature_std": unit.std(0).mean() * math.sqrt(unit.shape[1]),
        }
