"""Relative position's settings."""

from typing import ClassVar, Literal, Self

from pydantic import Field

from ssl_core.spec.tasks.base import Circumstances, Concern, Task, refuse_small_tiles
from ssl_core.statistics import Statistics


class RelativePosition(Task):
    """Tell where, of eight places around it, a patch lies beside the patch in the middle.

    To answer, an encoder has to know how the parts of a thing lie to each other. Doersch, Gupta and Efros,
    "Unsupervised Visual Representation Learning by Context Prediction", ICCV 2015.
    """

    summary: ClassVar[str] = "Predict at which of eight places around it a patch lies beside the middle patch."
    learns_from: ClassVar[str] = "how the parts of things lie to each other; learns little from textures and from tiny images"
    preview: ClassVar[str] = (
        "Above, images and two patches of each; below, the patches as the network sees them. It has to tell where the second "
        "lies beside the first."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/1505.05192"
    chance_accuracy: ClassVar[float | None] = 0.125

    name: Literal["relative_position"] = "relative_position"
    """The task's name."""
    pairs: Literal["all", "one"] = "all"
    """`all`: nine patches of each image are looked at, and each of the eight outer ones is a question;
    `one`: only the middle patch and one other, drawn for each image (the paper's way)."""
    gap: float = Field(default=0.5, ge=0.2, le=1)
    """Space between patches, as a fraction of a patch's side: without it, edges that go on would tell. 0.2 to 1."""
    jitter: float = Field(default=0.073, ge=0, le=0.2)
    """Largest shift of each patch from its place, as a fraction of its side, at least a pixel. 0 to 0.2."""
    color: Literal["project", "drop", "keep"] = "project"
    """What is done against a lens's colour fringes, which tell where in the photograph a patch was. `drop`: two of the three
    channels are replaced by noise; `project`: the green-magenta axis, on which the fringes lie, is taken out; `keep`: nothing."""
    flip: bool = True
    """Mirror half of the images left to right, before patches are cut."""

    def patch(self, image_size: int) -> int:
        """Side of a patch, in pixels: three of them with their gaps fill the image."""
        return int(image_size / (3 + 2 * self.gap))

    def resolved(self, about: Circumstances) -> Self:
        refuse_small_tiles(
            self.patch(about.image_size), about.encoder, self.name, "choose a larger `image_size`, or a smaller `gap`"
        )
        return self

    def concerns(self, about: Statistics) -> list[Concern]:
        return [*about.borders("they tell the outer patches' places"), *about.upscaled("its patches hold next to nothing")]
