"""Colorization's settings."""

from typing import ClassVar, Literal

from pydantic import Field

from ssl_core.spec.tasks.base import Concern, Cropped, OptimizerDefaults
from ssl_core.statistics import Statistics


class Colorization(Cropped):
    """Tell the colours of an image of which only the lightness is seen.

    To answer, an encoder has to know what things are. It sees L* of CIE Lab in place of red, green and blue, later too.
    Zhang, Isola and Efros, "Colorful Image Colorization", ECCV 2016.
    """

    summary: ClassVar[str] = "Predict the colours of an image from its lightness."
    learns_from: ClassVar[str] = "what things and materials are, by their usual colours; cannot learn from grey images"
    preview: ClassVar[str] = "Above, images without their colours, as the network sees them; below, what it has to paint."
    paper: ClassVar[str] = "https://arxiv.org/abs/1603.08511"
    shown_as: ClassVar[Literal["rgb", "lightness"]] = "lightness"
    optimizer: ClassVar[Literal["sgd", "adamw"] | None] = "adamw"
    adamw: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.001, 256, 0.01, 0.9, 0.99)

    name: Literal["colorization"] = "colorization"
    """The task's name."""
    bin_size: float = Field(default=10, ge=4, le=40)
    """Side of the squares into which the a-b plane is cut, in units of CIE Lab. 4 to 40."""
    neighbours: int = Field(default=10, ge=1, le=32)
    """Bins that a pixel's colour is spread over. 1 to 32."""
    sigma: float = Field(default=5, gt=0, le=20)
    """Standard deviation of the Gaussian by which it is spread, in units of CIE Lab. Above 0, at most 20."""
    prior_smoothing: float = Field(default=0.5, ge=0, le=1)
    """Rare colours count for more, by the inverse of their frequency, which is first mixed with equal frequencies by this share:
    at 0 the rarest count most, at 1 all count the same. 0 to 1."""
    temperature: float = Field(default=0.38, gt=0, le=1)
    """Of the annealed mean that turns an answer into a colour for pictures: 1 is the mean, near 0 the likeliest colour.
    Above 0, at most 1."""
    gray_below: float = Field(default=5, ge=0, le=20)
    """Images none of whose |a| or |b| exceeds this teach nothing of colour and do not count. In units of CIE Lab, 0 to 20."""

    def concerns(self, about: Statistics) -> list[Concern]:
        return about.gray("colorization has nothing to learn from them", fatal_from=0.95)
