"""What the tests of the pretext tasks share."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from launcher import motions
from launcher.shapes import generate
from ssl_core import checkpoint
from ssl_core.clips import ClipSettings, Segment, clip_table
from ssl_core.data import Batches
from ssl_core.encoders import build_encoder
from ssl_core.pretext import PretextTask, build_task
from ssl_core.pretext.base import lay_out
from ssl_core.process import StopRequest
from ssl_core.spec import TASKS, DatasetFacts, PretrainSpec, ResolvedPretrain, resolve
from ssl_core.trainer import Trained, Trainer

CPU = torch.device("cpu")
CLIP_FRAMES = 6


def shapes(count: int, side: int) -> np.ndarray:
    """Generated pictures of things, uint8 (count, side, side, 3)."""
    images, _, _ = generate(count=count, seed=0, size=side)
    return np.stack([np.asarray(image) for image in images])


@cache
def films(count: int, side: int, frames: int) -> np.ndarray:
    """Generated clips of things that move, uint8 (count, frames, side, side, 3)."""
    return np.stack([clip.frames for clip in motions.generate(count, size=side, frames=frames)])


def samples_of(task: str, count: int, side: int) -> np.ndarray:
    """What a task is about: `shapes`, or `films` of as many frames as it takes."""
    settings = TASKS[task](name=task)
    return shapes(count, side) if settings.modality == "image" else films(count, side, settings.decode_frames(CLIP_FRAMES))


def noise(count: int, side: int, seed: int = 0) -> Tensor:
    """uint8 (count, 3, side, side), channels last."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=generator).permute(0, 3, 1, 2)


def spec_of(
    task: str, *, size: int = 32, encoder: str | None = None, images: int = 1000, batch: int = 8, **asked: object
) -> ResolvedPretrain:
    """A resolved spec; what else is given are the task's settings or, with an underscore before it, the spec's."""
    settings = {name: value for name, value in asked.items() if not name.startswith("_")}
    others = {name[1:]: value for name, value in asked.items() if name.startswith("_")}
    spec = {"task": {"name": task, **settings}, "image_size": size, "batch_size": batch, "steps": 6}
    facts = DatasetFacts(images=images, median_side=size)
    if TASKS[task].modality == "video":
        spec |= {"encoder": {"name": encoder or "tiny3d"}, "clip_frames": CLIP_FRAMES}
        frames = PretrainSpec.model_validate({**spec, **others}).task.decode_frames(others.get("clip_frames", CLIP_FRAMES))
        facts = DatasetFacts(images=images, median_side=size, kind="video", frames=images * frames, lengths=((frames, images),))
    else:
        spec["encoder"] = {"name": encoder or "tiny"}
    return resolve(PretrainSpec.model_validate({**spec, **others}), facts).on_device("cpu")


def task_of(spec: ResolvedPretrain, images: np.ndarray | None = None) -> PretextTask:
    """A task with fresh weights; it has looked at images if there are some."""
    torch.manual_seed(spec.seed)
    task = build_task(spec, build_encoder(spec.encoder, spec.image_size, clips=spec.clip_frames is not None))
    if images is not None:
        task.prepare(images if images.ndim == 4 else images.reshape(-1, *images.shape[2:]))
    lay_out(task)
    return task


def batch_of(images: np.ndarray, count: int) -> Tensor:
    """The first few as a batch."""
    return torch.from_numpy(images[:count]).movedim(-1, 1)


def batches_of(images: np.ndarray, spec: ResolvedPretrain) -> Batches:
    """Batches of images (N, S, S, 3), or of clips (N, T, S, S, 3)."""
    if images.ndim == 4:
        return Batches(images, spec.batch_size, spec.seed, CPU)
    count, frames = images.shape[:2]
    table = clip_table([[Segment(0, frames, 1)]] * count, ClipSettings(frames, 1))
    return Batches(images.reshape(-1, *images.shape[2:]), spec.batch_size, spec.seed, CPU, clips=table)


class DiedError(Exception):
    """A training that ended without being able to do anything about it."""


class Recorder:
    """Keeps events, and asks to stop, or dies, at a step."""

    def __init__(self, stop: StopRequest, stop_at: int | None, die_at: int | None) -> None:
        self.events: list[dict] = []
        self._stop, self._stop_at, self._die_at = stop, stop_at, die_at

    def emit(self, type_: str, **fields: object) -> None:
        if type_ == "metrics" and fields["step"] == self._die_at:
            raise DiedError
        self.events.append({"type": type_, **fields})
        if type_ == "metrics" and fields["step"] == self._stop_at:
            self._stop.set()

    def of(self, type_: str) -> list[dict]:
        return [event for event in self.events if event["type"] == type_]


def trained(
    images: np.ndarray, spec: ResolvedPretrain, out: Path, *, stop_at: int | None = None, die_at: int | None = None
) -> tuple[Trained, PretextTask, Recorder]:
    """Train, from a checkpoint if there is one.

    Raises:
        InterruptedRun: it is to stop on the way.
        DiedError: it is to die; checkpoints are written after each step then.
    """
    stop = StopRequest()
    recorder = Recorder(stop, stop_at, die_at)
    task = task_of(spec, images)
    every = 1e9 if die_at is None else 0
    trainer = Trainer(task, spec, batches_of(images, spec), out, recorder, stop, checkpoint_seconds=every)
    trainer.resume(checkpoint.newest_first(out / "checkpoints"))
    return trainer.run(), task, recorder
