"""Rotation's settings."""

from typing import ClassVar, Literal

from ssl_core.spec.tasks.base import Concern, Cropped
from ssl_core.statistics import Statistics


class Rotation(Cropped):
    """Tell by which quarter turn (0, 90, 180 or 270 degrees) an image was rotated.

    To answer, an encoder has to know what things look like upright. Gidaris, Singh and Komodakis,
    "Unsupervised Representation Learning by Predicting Image Rotations", ICLR 2018.
    """

    summary: ClassVar[str] = "Predict by which quarter turn an image was rotated."
    learns_from: ClassVar[str] = (
        "what things look like upright: shape, parts and their place; learns little from images without an up"
    )
    preview: ClassVar[str] = "Above, images of the dataset; below, the same, each turned as the network sees it and has to tell."
    paper: ClassVar[str] = "https://arxiv.org/abs/1803.07728"
    chance_accuracy: ClassVar[float | None] = 0.25

    name: Literal["rotation"] = "rotation"
    """The task's name."""
    rotations: Literal["all", "one"] = "all"
    """`all`: each image is in the batch four times, once a rotation (the paper's way, four times the work per image);
    `one`: each image is there once, turned by a rotation drawn for it, which wants more epochs."""

    def concerns(self, about: Statistics) -> list[Concern]:
        return [*about.borders("they may tell the rotations apart"), *about.no_up("there is nothing to learn from rotations")]
