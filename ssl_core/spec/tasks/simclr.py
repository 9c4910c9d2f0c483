"""SimCLR's settings."""

from typing import ClassVar, Literal

from pydantic import Field

from ssl_core.spec.tasks.base import SMALL_IMAGE, Concern, OptimizerDefaults, TwoViews
from ssl_core.statistics import Statistics


class SimCLR(TwoViews):
    """Find the other view of the same image among the views of all images of a batch.

    Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020.
    """

    summary: ClassVar[str] = "Find the other view of an image among the views of a batch."
    learns_from: ClassVar[str] = "what stays when an image is cropped and recoloured: objects and their parts; wants large batches"
    preview: ClassVar[str] = (
        "Images; below each, two views of it, as the network sees them. It has to find the other view of an image among those "
        "of all."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2002.05709"
    sgd: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.06, 128, 5e-4, 0.9)

    name: Literal["simclr"] = "simclr"
    """The task's name."""
    temperature: float = Field(default=0.5, gt=0, le=5)
    """Of the softmax over the similarities; lower looks harder at the nearest. Above 0, at most 5."""
    projection: int = Field(default=128, ge=8, le=8192)
    """Length of the vectors that are compared, which a head makes of the features and which is thrown away. 8 to 8192."""

    def auto_batch(self, image_size: int) -> int:
        return 512 if image_size <= SMALL_IMAGE else 128

    def concerns(self, about: Statistics) -> list[Concern]:
        return [*about.flat("all views look the same"), *about.few(256, "there is little to tell an image apart from")]
