"""Clip order's settings."""

import math
from typing import ClassVar, Literal, Self

from pydantic import Field

from ssl_core.spec.base import Auto
from ssl_core.spec.tasks.base import Circumstances
from ssl_core.spec.tasks.clips import ClipTask


class ClipOrder(ClipTask):
    """Tell in which order clips of the same video were shuffled, or whether they were.

    Xu, Xiao, Zhao, Shao, Xie and Zhuang, "Self-Supervised Spatiotemporal Learning via Video Clip Order Prediction", CVPR 2019; and
    Misra, Zitnick and Hebert, "Shuffle and Learn: Unsupervised Learning using Temporal Order Verification", ECCV 2016.
    """

    summary: ClassVar[str] = "Predict the order of shuffled clips of a video."
    learns_from: ClassVar[str] = "what comes after what: directions, growth, actions; nothing from clips in which little moves"
    paper: ClassVar[str] = (
        "https://openaccess.thecvf.com/content_CVPR_2019/html/Xu_Self-Supervised_Spatiotemporal_Learning_via_Video_Clip_Order_Prediction_CVPR_2019_paper.html"
    )

    name: Literal["clip_order"] = "clip_order"
    """The task's name."""
    clips: int = Field(default=3, ge=2, le=4)
    """Clips of `clip_frames` frames that are shuffled. 2 to 4."""
    gap: Auto | int = Field(default="auto", ge=0, le=64)
    """Most frames between two clips; how many there are is drawn each time, so that one does not just go on where the other ends.
    `auto`: half of `clip_frames`."""
    question: Literal["order", "verification"] = "order"
    """`order`: which of all orders it is; `verification`: whether the clips, half of which are shuffled, are in order."""
    brightness: float = Field(default=0.2, ge=0, le=0.5)
    """How much the brightness and contrast of each of the clips changes, by a factor drawn for it, so that fading says nothing
    about the order. 0 to 0.5."""

    def decode_frames(self, clip_frames: int) -> int:
        gap = clip_frames // 2 if self.gap == "auto" else self.gap
        return self.clips * clip_frames + (self.clips - 1) * gap

    def resolved(self, about: Circumstances) -> Self:
        assert about.clip_frames is not None
        cropped = super().resolved(about)
        return cropped.model_copy(update={"gap": about.clip_frames // 2 if self.gap == "auto" else self.gap})

    def chance(self) -> float | None:
        return 0.5 if self.question == "verification" else 1 / math.factorial(self.clips)
