"""Settings of the rotation of clips."""

from typing import ClassVar, Literal

from ssl_core.spec.tasks.clips import ClipTask


class VideoRotation(ClipTask):
    """Tell by which quarter turn (0, 90, 180 or 270 degrees) a clip was rotated, all of its frames alike.

    Jing, Yang, Liu and Tian, "Self-Supervised Spatiotemporal Feature Learning via Video Rotation Prediction", 2018.
    """

    summary: ClassVar[str] = "Predict by which quarter turn a clip was rotated."
    learns_from: ClassVar[str] = "how things look and move when they are upright; little from clips taken from above"
    preview: ClassVar[str] = "Above, frames of clips; below, the same clips, each turned as the network sees it and has to tell."
    paper: ClassVar[str] = "https://arxiv.org/abs/1811.11387"
    chance_accuracy: ClassVar[float | None] = 0.25

    name: Literal["video_rotation"] = "video_rotation"
    """The task's name."""
    rotations: Literal["all", "one"] = "one"
    """`all`: each clip is in the batch four times, once a rotation (the paper's way, four times the work per clip);
    `one`: each clip is there once, turned by a rotation drawn for it."""
