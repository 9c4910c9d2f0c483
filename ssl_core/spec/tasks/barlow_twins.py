"""Barlow Twins' settings."""

from typing import ClassVar, Literal

from pydantic import Field

from ssl_core.spec.tasks.base import SMALL_IMAGE, Concern, OptimizerDefaults, TwoViews
from ssl_core.statistics import Statistics


class BarlowTwins(TwoViews):
    """Give two views of an image the same features, and no two features the same meaning.

    Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021.
    """

    summary: ClassVar[str] = "Give two views of an image equal features, and make the features independent of each other."
    learns_from: ClassVar[str] = "what stays when an image is cropped and recoloured: objects and their parts"
    preview: ClassVar[str] = "Images; below each, two views of it, as the network sees them. It has to give both the same features."
    paper: ClassVar[str] = "https://arxiv.org/abs/2103.03230"
    sgd: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.06, 128, 5e-4, 0.9)

    name: Literal["barlow_twins"] = "barlow_twins"
    """The task's name."""
    redundancy: float = Field(default=0.005, gt=0, le=1)
    """Weight of the correlations between different features. Above 0, at most 1."""
    projection: int = Field(default=1024, ge=16, le=16_384)
    """Number of features that are compared, which a head makes of the encoder's and which is thrown away. 16 to 16384."""

    def auto_batch(self, image_size: int) -> int:
        return 256 if image_size <= SMALL_IMAGE else 128

    def concerns(self, about: Statistics) -> list[Concern]:
        return about.flat("all views look the same")
