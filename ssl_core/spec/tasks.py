"""The pretext tasks: one class each, discriminated by `name`."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from ssl_core.spec.base import Spec


class Task(Spec):
    """What all pretext tasks have in common."""

    def decode_size(self, image_size: int) -> int:
        """Side of the images that the training is given, in pixels, if the network sees `image_size`."""
        return image_size


class Rotation(Task):
    """Tell by which quarter turn (0, 90, 180 or 270 degrees) an image was rotated.

    To answer, an encoder has to know what things look like upright. Gidaris, Singh and Komodakis,
    "Unsupervised Representation Learning by Predicting Image Rotations", ICLR 2018.
    """

    name: Literal["rotation"] = "rotation"
    """The task's name."""
    rotations: Literal["all", "one"] = "all"
    """`all`: each image is in the batch four times, once a rotation (the paper's way, four times the work per image);
    `one`: each image is there once, turned by a rotation drawn for it, which wants more epochs."""
    crop: Literal["auto", "pad", "resized", "none"] = "auto"
    """How an image is cropped before it is turned. `pad`: shifted by up to `crop_padding`, the border filled by reflection;
    `resized`: a random area of at least `crop_scale` and of varying aspect, scaled to `image_size`; `none`: the whole image.
    `auto`: `pad` up to 64 px, `resized` above."""
    crop_padding: int = Field(default=4, ge=0, le=32)
    """Largest shift of the `pad` crop, in pixels each way. 0 to 32."""
    crop_scale: float = Field(default=0.35, gt=0, le=1)
    """Smallest area of the `resized` crop, as a fraction of the image. Above 0, at most 1."""
    flip: bool = True
    """Mirror half of the images left to right, before they are turned (afterwards it would make 90 and 270 degrees the same)."""

    def decode_size(self, image_size: int) -> int:
        return round(image_size * 8 / 7) if self.crop == "resized" else image_size


PretextTask = Rotation
"""Any pretext task. Becomes a union discriminated by `name` as soon as there are two."""


@dataclass(frozen=True)
class TaskInfo:
    """A catalogue entry of one pretext task."""

    spec: type[Task]
    summary: str
    learns_from: str
    paper: str
    chance_accuracy: float


TASKS: dict[str, TaskInfo] = {
    "rotation": TaskInfo(
        spec=Rotation,
        summary="Predict by which quarter turn an image was rotated.",
        learns_from="what things look like upright: shape, parts and their place; learns little from images without an up",
        paper="https://arxiv.org/abs/1803.07728",
        chance_accuracy=0.25,
    ),
}
