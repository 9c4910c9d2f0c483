"""Clip order's settings."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ssl_core.spec.base import Auto, SpecError
from ssl_core.spec.encoders import ENCODERS
from ssl_core.spec.tasks.base import Circumstances
from ssl_core.spec.tasks.clips import ClipTask


class ClipOrder(ClipTask):
    """Tell in which order pieces of a video were shuffled, or whether they were.

    Misra, Zitnick and Hebert, "Shuffle and Learn: Unsupervised Learning using Temporal Order Verification", ECCV 2016; Lee, Huang,
    Singh and Yang, "Unsupervised Representation Learning by Sorting Sequences", ICCV 2017; and Xu, Xiao, Zhao, Shao, Xie and
    Zhuang, "Self-Supervised Spatiotemporal Learning via Video Clip Order Prediction", CVPR 2019.
    """

    summary: ClassVar[str] = "Predict the order of shuffled pieces of a video."
    learns_from: ClassVar[str] = "what comes after what: how things move and change; nothing from clips in which little moves"
    preview: ClassVar[str] = (
        "Above, pieces of a clip in the order in which the network sees them; below, the right order, which it has to tell."
    )
    paper: ClassVar[str] = (
        "https://openaccess.thecvf.com/content_CVPR_2019/html/Xu_Self-Supervised_Spatiotemporal_Learning_via_Video_Clip_Order_Prediction_CVPR_2019_paper.html"
    )

    name: Literal["clip_order"] = "clip_order"
    """The task's name."""
    shown: Literal["joined", "apart"] = "joined"
    """`joined`: a clip is cut into pieces, and the encoder looks at it as a whole in whatever order they are; `apart`: each piece
    is a clip of `clip_frames` by itself, and their features are compared (Xu 2019), which takes longer videos and trainings."""
    pieces: int = Field(default=3, ge=2, le=4)
    """Pieces that are shuffled. 2 to 4."""
    gap: Auto | Annotated[int, Field(ge=0, le=64)] = "auto"
    """Most frames that are left out between two pieces; how many are is drawn each time. With gaps it is not enough to see where
    one piece goes on in another. `auto`: 0 for `joined`, half of `clip_frames` for `apart`."""
    question: Literal["order", "verification"] = "order"
    """`order`: which of all orders it is; `verification`: whether the pieces are in order, as those of half the videos are (Misra
    2016)."""
    brightness: float = Field(default=0.2, ge=0, le=0.5)
    """How much the brightness and contrast of each piece changes, by a factor drawn for it, so that fading says nothing about the
    order. 0 to 0.5."""

    def decode_frames(self, clip_frames: int) -> int:
        between = (self.pieces - 1) * self._gap(clip_frames)
        return between + (clip_frames if self.shown == "joined" else self.pieces * clip_frames)

    def piece_frames(self, clip_frames: int) -> int:
        """Frames of a piece."""
        return clip_frames // self.pieces if self.shown == "joined" else clip_frames

    def _gap(self, clip_frames: int) -> int:
        if self.gap != "auto":
            return self.gap
        return 0 if self.shown == "joined" else clip_frames // 2

    def resolved(self, about: Circumstances) -> Self:
        assert about.clip_frames is not None
        if self.piece_frames(about.clip_frames) < 2:
            raise SpecError(
                "clip_frames",
                f"clip_order cuts clips into {self.pieces} pieces of at least 2 frames, and `clip_frames` is {about.clip_frames}; "
                f"choose at least {2 * self.pieces}, or fewer `task.pieces`",
            )
        seen = self.piece_frames(about.clip_frames) * (self.pieces if self.shown == "joined" else 1)
        fewest = ENCODERS[about.encoder.name].min_frames
        if seen < fewest:
            raise SpecError(
                "clip_frames",
                f"{about.encoder.name} needs at least {fewest} frames, and would see the {seen} that {self.pieces} equal pieces of "
                f"{about.clip_frames} have; choose {self.pieces * -(-fewest // self.pieces)} or more",
            )
        return super().resolved(about).model_copy(update={"gap": self._gap(about.clip_frames)})

    def chance(self) -> float | None:
        return 0.5 if self.question == "verification" else 1 / math.factorial(self.pieces)
