"""What the benchmarks share: a job's spec from words, and its task ready to train, made as `ssl_core.pretrain` makes it."""

import json
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ssl_core.data import derived_seed
from ssl_core.encoders import build_encoder
from ssl_core.pretext import TASK_MODULES, PretextTask, build_task
from ssl_core.spec import DatasetFacts, PretrainSpec, ResolvedPretrain, resolve


def task_names(asked: str | None) -> list[str]:
    """Names of tasks separated by commas, or all that can be trained.

    Raises:
        SystemExit: there is no such task.
    """
    names = asked.split(",") if asked else list(TASK_MODULES)
    unknown = [name for name in names if name not in TASK_MODULES]
    if unknown:
        raise SystemExit(f"no task is called {', '.join(unknown)}; there are {', '.join(TASK_MODULES)}")
    return names


def spec_of(task: str, images: int, side: int, device: str, settings: list[str], **asked: Any) -> ResolvedPretrain:
    """The resolved spec of a job.

    Args:
        task: the task's name.
        images: number of images in the dataset.
        side: of its images, in pixels.
        device: `cpu` or `cuda`.
        settings: more of the spec as `key=value`, a dot for each level, JSON or text.
        asked: fields of the spec.
    """
    spec: dict[str, Any] = {"task": {"name": task}, **asked}
    for setting in settings:
        path, _, value = setting.partition("=")
        *parents, last = path.split(".")
        level = spec
        for parent in parents:
            level = level.setdefault(parent, {})
        level[last] = _parsed(value)
    wanted = resolve(PretrainSpec.model_validate(spec), DatasetFacts(images=images, median_side=side))
    return wanted.on_device("cuda" if device == "cuda" else "cpu")


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def set_up(device: torch.device) -> None:
    """Set torch up as a job does."""
    if device.type == "cpu":
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    else:
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")


def task_of(spec: ResolvedPretrain, images: npt.NDArray[np.uint8], device: torch.device) -> PretextTask[Any]:
    """The task of a job before its first step, on the device. `images`: uint8 (N, R, R, 3)."""
    torch.manual_seed(derived_seed(spec.seed, "weights", 0))
    task = build_task(spec, build_encoder(spec.encoder, spec.image_size))
    task.prepare(images)
    task.to(device)
    task.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    return task


def synchronize(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize()
