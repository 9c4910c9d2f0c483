"""What the benchmarks share: a job's spec from words, and its task ready to train, made as `ssl_core.pretrain` makes it.

N: images or videos, F: frames of a video, R: side of either as they are decoded.
"""

import json
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ssl_core.clips import clip_table, segments_of
from ssl_core.data import Batches, derived_seed
from ssl_core.encoders import build_encoder
from ssl_core.pretext import TASK_MODULES, PretextTask, build_task
from ssl_core.pretext.base import lay_out
from ssl_core.pretrain import clip_settings
from ssl_core.spec import TASKS, DatasetFacts, PretrainSpec, ResolvedPretrain, resolve
from ssl_core.spec.clips import rounded_length


def task_names(asked: str | None, modality: str = "image") -> list[str]:
    """Names of tasks separated by commas, or all about images, or videos.

    Raises:
        SystemExit: there is no such task.
    """
    names = asked.split(",") if asked else [name for name in TASK_MODULES if TASKS[name].modality == modality]
    unknown = [name for name in names if name not in TASK_MODULES]
    if unknown:
        raise SystemExit(f"no task is called {', '.join(unknown)}; there are {', '.join(TASK_MODULES)}")
    return names


def spec_of(
    task: str, images: int, side: int, device: str, settings: list[str], *, frames: int | None = None, **asked: Any
) -> ResolvedPretrain:
    """The resolved spec of a job.

    Args:
        task: the task's name.
        images: number of images, or videos, in the dataset.
        side: of its images, in pixels.
        device: `cpu` or `cuda`.
        frames: F; None if the dataset is of images.
        settings: more of the spec as `key=value`, a dot for each level, JSON or text.
        asked: fields of the spec.
    """
    spec = with_settings({"task": {"name": task}, **asked}, settings)
    facts = DatasetFacts(images=images, median_side=side)
    if frames is not None:
        lengths = ((rounded_length(frames), images),)
        facts = DatasetFacts(images=images, median_side=side, kind="video", frames=images * frames, lengths=lengths)
    wanted = resolve(PretrainSpec.model_validate(spec), facts)
    return wanted.on_device("cuda" if device == "cuda" else "cpu")


def with_settings(spec: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """A spec with more of it set, by `key=value`: a dot for each level, JSON or text."""
    for setting in settings:
        path, _, value = setting.partition("=")
        *parents, last = path.split(".")
        level = spec
        for parent in parents:
            level = level.setdefault(parent, {})
        level[last] = _parsed(value)
    return spec


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
    """The task of a job before its first step, on the device. `images`: uint8 (N, R, R, 3) or (N, F, R, R, 3)."""
    torch.manual_seed(derived_seed(spec.seed, "weights", 0))
    task = build_task(spec, build_encoder(spec.encoder, spec.image_size, clips=images.ndim == 5))
    task.prepare(images.reshape(-1, *images.shape[-3:]))
    task.to(device)
    lay_out(task)
    return task


def batches_of(spec: ResolvedPretrain, images: npt.NDArray[np.uint8], device: torch.device) -> Batches:
    """The batches of a job. `images`: uint8 (N, R, R, 3) or (N, F, R, R, 3)."""
    clips = clip_settings(spec)
    table = None if clips is None else clip_table([segments_of(images.shape[1], clips)] * len(images), clips)
    return Batches(images.reshape(-1, *images.shape[-3:]), spec.batch_size, spec.seed, device, clips=table)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize()
