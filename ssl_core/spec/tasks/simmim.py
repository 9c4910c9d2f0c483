"""SimMIM's settings."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ssl_core.spec.base import Auto, SpecError
from ssl_core.spec.tasks.base import SMALL_IMAGE, Circumstances, Concern, Cropped, OptimizerDefaults
from ssl_core.statistics import Statistics

_STANDARD_UNIT = 32
_UNITS_A_SIDE = 8


class SimMIM(Cropped):
    """Fill in most of an image, hidden in small squares.

    Masked image modelling for every encoder, convolutional ones too. Xie et al., "SimMIM: A Simple Framework for Masked Image
    Modeling", CVPR 2022; the targets are normalised per square as in He et al., "Masked Autoencoders Are Scalable Vision Learners",
    CVPR 2022.
    """

    summary: ClassVar[str] = "Fill in most of an image, hidden in small squares."
    learns_from: ClassVar[str] = (
        "scenes, shapes and textures; its features shine when they are fine-tuned, less when they are frozen"
    )
    preview: ClassVar[str] = (
        "Above, images of which most squares are hidden, as the network sees them; below, what it has to fill in."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2111.09886"
    optimizer: ClassVar[Literal["sgd", "adamw"] | None] = "adamw"
    adamw: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.001, 256, 0.05, 0.9, 0.95)

    name: Literal["simmim"] = "simmim"
    """The task's name."""
    hidden: float = Field(default=0.6, ge=0.1, le=0.9)
    """Share of the squares that are hidden, the same number in every image. 0.1 to 0.9."""
    unit: Auto | Annotated[int, Field(ge=2, le=112)] = "auto"
    """Side of a square, in pixels; the image's side has to be a multiple. `auto`: 32 above 64 px, else an eighth of the image's
    side or the divisor next to it."""
    normalize: bool = True
    """Whether each square's pixels are asked for relative to the square's own mean and standard deviation, which favours form over
    brightness."""

    def resolved(self, about: Circumstances) -> Self:
        task, side = super().resolved(about), about.image_size
        wanted = _STANDARD_UNIT if side > SMALL_IMAGE else side / _UNITS_A_SIDE
        divisors = [unit for unit in range(2, side // 2 + 1) if side % unit == 0]
        if self.unit != "auto":
            if self.unit not in divisors:
                raise SpecError("task.unit", f"`image_size` is {side}, so `unit` may be {_listed(divisors)}; it is {self.unit}")
            return task
        if not divisors:
            raise SpecError("image_size", f"an image of {side} px cannot be cut into squares; choose a multiple of 8")
        return task.model_copy(update={"unit": min(divisors, key=lambda unit: (abs(unit - wanted), unit))})

    def concerns(self, about: Statistics) -> list[Concern]:
        return about.flat("there is nothing to fill in")


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "nothing: choose a multiple of 8"
