"""The pretext tasks, a file each."""

from typing import Any

from ssl_core.encoders import Encoder
from ssl_core.pretext.barlow_twins import BarlowTwinsTask
from ssl_core.pretext.base import PretextTask
from ssl_core.pretext.clip_order import ClipOrderTask
from ssl_core.pretext.colorization import ColorizationTask
from ssl_core.pretext.gan import GanTask
from ssl_core.pretext.inpainting import InpaintingTask
from ssl_core.pretext.jigsaw import JigsawTask
from ssl_core.pretext.relative_position import RelativePositionTask
from ssl_core.pretext.rotation import RotationTask
from ssl_core.pretext.simclr import SimCLRTask
from ssl_core.pretext.simmim import SimMIMTask
from ssl_core.pretext.video_gan import VideoGanTask
from ssl_core.pretext.video_rotation import VideoRotationTask
from ssl_core.spec import ResolvedPretrain

TASK_MODULES: dict[str, type[PretextTask[Any]]] = {
    "rotation": RotationTask,
    "relative_position": RelativePositionTask,
    "jigsaw": JigsawTask,
    "colorization": ColorizationTask,
    "inpainting": InpaintingTask,
    "gan": GanTask,
    "simclr": SimCLRTask,
    "barlow_twins": BarlowTwinsTask,
    "simmim": SimMIMTask,
    "video_rotation": VideoRotationTask,
    "clip_order": ClipOrderTask,
    "video_gan": VideoGanTask,
}


def build_task(spec: ResolvedPretrain, encoder: Encoder) -> PretextTask[Any]:
    """The module of a pretext task around an encoder."""
    return TASK_MODULES[spec.task.name](encoder, spec)


__all__ = ["TASK_MODULES", "PretextTask", "build_task"]
