"""What a pretraining costs, computed without torch: parameters, arithmetic, and memory, from a table that torch was asked for once.

The table is made by `python -m benchmarks.costs`; how far the figures are off is in `benchmarks/LOG.md`.
"""

import json
import math
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from ssl_core.spec.clips import clips_of, span_of
from ssl_core.spec.cost_table import BF16_BYTES, ENCODER_COSTS, PARAMETERS, TASK_COSTS, TASK_PARAMETERS
from ssl_core.spec.encoders import ENCODERS
from ssl_core.spec.pretrain import DatasetFacts, ResolvedPretrain
from ssl_core.spec.tasks import ClipOrder, Jigsaw, RelativePosition, Rotation, SimCLR, VideoGan, VideoRotation
from ssl_core.spec.tasks.barlow_twins import BarlowTwins
from ssl_core.spec.tasks.gan import Gan

_FLOAT = 4
_TABLE_FRAMES = 8
_PROCESS = {"cpu": 500 << 20, "cuda": 600 << 20}
"""Memory of a process that has loaded PyTorch: all of it on a CPU, CUDA's context on a GPU."""
_NOT_COUNTED = (1.0, 0.0, 1.0, 0.0)
"""Of a task that is not in the table: that of the encoder alone."""
_ALWAYS_FP32 = {"gan", "video_gan"}
"""Tasks whose largest part is computed in fp32 whatever was asked for."""


@dataclass(frozen=True)
class Seen:
    """What the encoder is shown of one sample in a step."""

    flops: float
    """Of the encoder, forwards and backwards."""
    bytes: float
    """That its activations and their gradients take at the same time at most, in fp32."""
    pixels: int
    """Of all views, and of all frames."""


@dataclass(frozen=True)
class Memory:
    """Memory of a training at its peak, in bytes."""

    parameters: int
    gradients: int
    optimizer: int
    """What the optimizer keeps of each parameter."""
    activations: int
    """Outputs of layers that are kept for the gradients, for the whole batch."""
    dataset: int
    """Decoded images: on the GPU if they fit, else what a CPU maps of them."""
    process: int
    """What PyTorch takes before there is anything to compute."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.fixed + self.activations

    @property
    def fixed(self) -> int:
        """What does not depend on the batch."""
        return self.parameters + self.gradients + self.optimizer + self.dataset + self.process


@dataclass(frozen=True)
class Sort:
    """What trainings have in common that take the same on the same device."""

    key: str
    """SHA-256, of everything that memory and speed depend on."""
    encoder: str
    stem: str
    task: str
    image_size: int
    clip_frames: int | None
    batch_size: int
    precision: str
    flops: float
    """Of a step, for one sample."""


def sort_of(spec: ResolvedPretrain) -> Sort:
    """The sort of a training."""
    told = {
        "encoder": spec.encoder.model_dump(),
        "task": spec.task.model_dump(),
        "sizes": [spec.image_size, spec.clip_frames, spec.batch_size],
        "precision": spec.precision,
        "optimizer": spec.optimizer.name,
        "follow_knn": spec.follow_knn,
    }
    return Sort(
        key=sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        encoder=spec.encoder.name,
        stem=spec.encoder.stem,
        task=spec.task.name,
        image_size=spec.image_size,
        clip_frames=spec.clip_frames,
        batch_size=spec.batch_size,
        precision=spec.precision,
        flops=flops_of(spec),
    )


def seen_by(spec: ResolvedPretrain) -> Seen:
    """What the encoder is shown of one sample, and what that costs by itself."""
    views, side, frames = _views(spec)
    flops, bytes_ = _encoder(spec, side, frames)
    return Seen(views * flops, views * bytes_, views * side * side * (frames or 1))


def _views(spec: ResolvedPretrain) -> tuple[int, int, int | None]:
    """How many views of a sample there are in a batch, their side, and their frames if they are clips."""
    task, size, frames = spec.task, spec.image_size, spec.clip_frames
    if isinstance(task, Rotation | VideoRotation):
        return 4 if task.rotations == "all" else 1, size, frames
    if isinstance(task, RelativePosition):
        return 9 if task.pairs == "all" else 2, task.patch(size), None
    if isinstance(task, Jigsaw):
        assert task.grid != "auto"
        return task.grid**2, task.tile_side(size), None
    if isinstance(task, ClipOrder):
        assert frames is not None
        piece = task.piece_frames(frames)
        return (1, size, piece * task.pieces) if task.shown == "joined" else (task.pieces, size, piece)
    if isinstance(task, VideoGan):
        return 3 if task.shuffled else 2, size, frames
    return (2 if isinstance(task, SimCLR | BarlowTwins | Gan) else 1), size, frames


def _encoder(spec: ResolvedPretrain, side: int, frames: int | None) -> tuple[float, float]:
    """FLOPs and bytes of a step of the encoder for one view."""
    table = ENCODER_COSTS[f"{spec.encoder.name}/{spec.encoder.stem}"]
    millions, kilobytes = (_between(table, side, column) for column in (0, 1))
    scale = 1.0 if frames is None else frames / (_TABLE_FRAMES if ENCODERS[spec.encoder.name].modality == "video" else 1)
    return millions * 1e6 * scale, kilobytes * 1024 * scale


def _between(table: dict[int, tuple[float, int]], side: int, column: int) -> float:
    """A figure at a side between those of the table, as a power of the side; beyond them it grows with the number of pixels."""
    sides = sorted(table)
    for low, high in pairwise(sides):
        if low <= side <= high:
            before, after = table[low][column], table[high][column]
            return float(before * (after / before) ** (math.log(side / low) / math.log(high / low)))
    nearest = sides[0] if side < sides[0] else sides[-1]
    return table[nearest][column] * (side / nearest) ** 2


def parameters_of(spec: ResolvedPretrain) -> int:
    """Trainable parameters of the encoder and of what the task adds to it."""
    added = TASK_PARAMETERS.get(spec.task.name, {})
    return PARAMETERS[spec.encoder.name] + added.get(spec.encoder.name, max(added.values(), default=0))


def flops_of(spec: ResolvedPretrain) -> float:
    """FLOPs of a training step for one sample of the batch."""
    seen = seen_by(spec)
    times, by_pixel, *_ = TASK_COSTS.get(spec.task.name, _NOT_COUNTED)
    return times * seen.flops + by_pixel * seen.pixels


def activations_of(spec: ResolvedPretrain) -> float:
    """Bytes that one more sample in the batch takes."""
    seen = seen_by(spec)
    *_, times, by_pixel = TASK_COSTS.get(spec.task.name, _NOT_COUNTED)
    half = spec.precision == "bf16" and spec.task.name not in _ALWAYS_FP32
    return (times * seen.bytes + by_pixel * seen.pixels) * (BF16_BYTES if half else 1)


def dataset_bytes(spec: ResolvedPretrain, facts: DatasetFacts) -> int:
    """Bytes of the decoded images or frames, on the device and in the cache alike."""
    side = spec.task.decode_size(spec.image_size)
    images = facts.images
    if spec.clip_frames is not None and spec.frame_stride is not None:
        images = facts.frames or 0
        if spec.clips_per_video is not None:
            images = min(images, facts.images * spec.clips_per_video * span_of(spec.clip_frames, spec.frame_stride))
    return images * side * side * 3


def memory_of(spec: ResolvedPretrain, facts: DatasetFacts, capacity: int | None = None) -> Memory:
    """Memory of a training at its peak.

    Args:
        spec: the training; while its device is open, it is taken to be a CPU.
        facts: of its dataset.
        capacity: memory of the GPU in bytes, of which the dataset takes less than half or none.
    """
    cuda = spec.device == "cuda"
    parameters = parameters_of(spec) * _FLOAT
    data = dataset_bytes(spec, facts)
    if cuda and capacity is not None and data > capacity / 2:
        data = 0
    return Memory(
        parameters=parameters,
        gradients=parameters,
        optimizer=parameters * (2 if spec.optimizer.name == "adamw" else 1 if spec.optimizer.momentum else 0),
        activations=round(activations_of(spec) * spec.batch_size),
        dataset=data,
        process=_PROCESS["cuda" if cuda else "cpu"],
    )


def samples_of(spec: ResolvedPretrain, facts: DatasetFacts) -> int:
    """Images, or clips, in a pass over the dataset."""
    if spec.clip_frames is None or spec.frame_stride is None:
        return facts.images
    return clips_of(facts.lengths, spec.task.decode_frames(spec.clip_frames), spec.frame_stride, spec.clips_per_video)
