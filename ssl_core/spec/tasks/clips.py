"""What tasks about clips have in common, as far as it can be said without torch."""

from typing import ClassVar, Literal

from ssl_core.spec.tasks.base import SMALL_IMAGE, Concern, Cropped, OptimizerDefaults
from ssl_core.statistics import Statistics


class ClipTask(Cropped):
    """A task about clips, whose frames are cropped and mirrored alike."""

    modality: ClassVar[Literal["image", "video"]] = "video"
    optimizer: ClassVar[Literal["sgd", "adamw"] | None] = "adamw"
    sgd: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.05, 64, 5e-4, 0.9)
    adamw: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.001, 64, 0.05, 0.9)

    def auto_batch(self, image_size: int) -> int:
        return 32 if image_size <= SMALL_IMAGE else 16

    def concerns(self, about: Statistics) -> list[Concern]:
        return about.still("there is no motion to learn from")
