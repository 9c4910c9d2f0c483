"""The pretext tasks' settings, a file each, told apart by `name`.

A task becomes known to the API, the client, the docs and the tests by its place in `PretextTask`.
"""

from collections.abc import Sequence
from typing import Annotated, get_args

from pydantic import Field

from ssl_core.spec.tasks.barlow_twins import BarlowTwins
from ssl_core.spec.tasks.base import Circumstances, Concern, Cropped, OptimizerDefaults, Task, TwoViews
from ssl_core.spec.tasks.clip_order import ClipOrder
from ssl_core.spec.tasks.clips import ClipTask
from ssl_core.spec.tasks.colorization import Colorization
from ssl_core.spec.tasks.gan import Gan
from ssl_core.spec.tasks.inpainting import Inpainting
from ssl_core.spec.tasks.jigsaw import Jigsaw
from ssl_core.spec.tasks.relative_position import RelativePosition
from ssl_core.spec.tasks.rotation import Rotation
from ssl_core.spec.tasks.simclr import SimCLR
from ssl_core.spec.tasks.simmim import SimMIM
from ssl_core.spec.tasks.video_gan import VideoGan
from ssl_core.spec.tasks.video_rotation import VideoRotation

PretextTask = Annotated[
    Rotation
    | RelativePosition
    | Jigsaw
    | Colorization
    | Inpainting
    | Gan
    | SimCLR
    | BarlowTwins
    | SimMIM
    | VideoRotation
    | ClipOrder
    | VideoGan,
    Field(discriminator="name"),
]
"""Any pretext task."""

TASKS: dict[str, type[Task]] = {task.model_fields["name"].default: task for task in get_args(get_args(PretextTask)[0])}
"""The pretext tasks by name."""


def field_of(place: Sequence[str | int], kind: str = "") -> str:
    """Name of a field as people write it, such as `task.crop`.

    Args:
        place: where pydantic found a mistake; it has the task's name in it too.
        kind: pydantic's type of the mistake. One in the name of a task it places at the task.
    """
    parts = [str(part) for part in place]
    if "protocols" in parts and len(parts) > (name := parts.index("protocols") + 2):
        del parts[name]  # behind its number pydantic has the protocol's name
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        parts.append("name")
    if "task" in parts[:-1] and parts[parts.index("task") + 1] in TASKS:
        del parts[parts.index("task") + 1]
    return ".".join(parts)


__all__ = [
    "TASKS",
    "BarlowTwins",
    "Circumstances",
    "ClipOrder",
    "ClipTask",
    "Colorization",
    "Concern",
    "Cropped",
    "Gan",
    "Inpainting",
    "Jigsaw",
    "OptimizerDefaults",
    "PretextTask",
    "RelativePosition",
    "Rotation",
    "SimCLR",
    "SimMIM",
    "Task",
    "TwoViews",
    "VideoGan",
    "VideoRotation",
    "field_of",
]
