"""Inpainting's settings."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ssl_core.spec.base import Auto, SpecError
from ssl_core.spec.tasks.base import Circumstances, Concern, Cropped, OptimizerDefaults
from ssl_core.statistics import Statistics


class Inpainting(Cropped):
    """Fill in a hidden region of an image.

    To answer, an encoder has to understand the rest. Pathak et al., "Context Encoders: Feature Learning by Inpainting", CVPR 2016.
    """

    summary: ClassVar[str] = "Fill in a hidden region of an image."
    learns_from: ClassVar[str] = "scenes and the shapes in them; learns slowly, and little where the surroundings tell everything"
    preview: ClassVar[str] = "Above, images with hidden regions, as the network sees them; below, what it has to fill in."
    paper: ClassVar[str] = "https://arxiv.org/abs/1604.07379"
    optimizer: ClassVar[Literal["sgd", "adamw"] | None] = "adamw"
    adamw: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.002, 256, 0.01, 0.9, 0.99)

    name: Literal["inpainting"] = "inpainting"
    """The task's name."""
    region: Literal["center", "blocks", "free_form"] = "blocks"
    """What is hidden. `center`: a square in the middle; `blocks`: a few rectangles, drawn for each image and step;
    `free_form`: blots of any form, drawn likewise."""
    hidden: float = Field(default=0.4, ge=0.05, le=0.75)
    """Area that is hidden, as a fraction of the image; on average, where it is drawn. 0.05 to 0.75."""
    overlap: Auto | Annotated[int, Field(ge=0, le=64)] = "auto"
    """Width of the rim of the region that is shown and has to be answered too, in pixels, at most an eighth of the side of a square
    of the hidden area. `auto`: a 32nd of the image's side, if it may be as much."""
    overlap_weight: float = Field(default=2, ge=0, le=100)
    """What an error in that rim counts, beside one inside. 0 to 100."""
    adversarial: float = Field(default=0.001, ge=0, le=1)
    """Share of the loss that a critic has, which tells filled regions from real ones; 0 leaves it out. 0 to 1."""
    critic_rate: float = Field(default=0.1, gt=0, le=10)
    """Learning rate of the critic, as a fraction of the encoder's. Above 0, at most 10."""

    def resolved(self, about: Circumstances) -> Self:
        task = super().resolved(about)
        widest = int(math.sqrt(self.hidden) * about.image_size / 8)
        if self.overlap == "auto":
            return task.model_copy(update={"overlap": min(about.image_size // 32, widest)})
        if self.overlap > widest:
            raise SpecError(
                "task.overlap",
                f"a rim of {self.overlap} px leaves too little hidden of {self.hidden:.0%} of an image of {about.image_size} px; "
                f"choose at most {widest}",
            )
        return task

    def concerns(self, about: Statistics) -> list[Concern]:
        return about.flat("there is nothing to fill in")
