"""The pretext tasks, a file each."""

from typing import Any

from ssl_core.encoders import Encoder
from ssl_core.pretext.base import PretextTask
from ssl_core.pretext.rotation import RotationTask
from ssl_core.spec import ResolvedPretrain

TASK_MODULES: dict[str, type[PretextTask[Any]]] = {
    "rotation": RotationTask,
}


def build_task(spec: ResolvedPretrain, encoder: Encoder) -> PretextTask[Any]:
    """The module of a pretext task around an encoder."""
    return TASK_MODULES[spec.task.name](encoder, spec)


__all__ = ["TASK_MODULES", "PretextTask", "build_task"]
