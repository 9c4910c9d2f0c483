"""A pretraining: as it is asked for, with "auto" where the asker does not mind, and resolved."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ssl_core.spec.base import Auto, Spec, SpecError
from ssl_core.spec.clips import clips_of, span_of
from ssl_core.spec.encoders import ENCODERS, EncoderSpec, ResolvedEncoder
from ssl_core.spec.export import Formats
from ssl_core.spec.tasks import TASKS, Circumstances, PretextTask, Task
from ssl_core.spec.tasks.base import SMALL_IMAGE

IMAGE_SIZES = (32, 48, 64, 96, 128, 160, 192, 224)
SCHEDULED_IMAGES = 5_000_000
"""Images that an automatic schedule shows the network, within 10 to 200 epochs."""
SCHEDULED_CLIPS = 1_000_000
"""Clips that an automatic schedule shows the network, within 10 to 200 epochs."""
CLIP_FRAMES, FRAME_STRIDES = (16, 8, 4), (2, 1)
"""What is tried for clips, in this order, until most videos are long enough."""
_MOST_FIT = 0.8
_MOST_FRAME_BYTES = 16 << 30


class DatasetFacts(Spec):
    """What has to be known of a dataset to resolve a spec."""

    images: int = Field(ge=1)
    """Number of usable images, or of videos."""
    median_side: int = Field(ge=1)
    """Median over the images of the shorter side, in pixels."""
    kind: Literal["image", "video"] = "image"
    """What the dataset is of. Of videos, all figures are over these."""
    frames: int | None = None
    """Frames of all videos."""
    lengths: tuple[tuple[int, int], ...] = ()
    """Pairs of a number of frames, its first two digits kept, and how many videos have it."""


class OptimizerSpec(Spec):
    """How the weights are updated. Linear warm-up, then a cosine to zero."""

    name: Literal["auto", "sgd", "adamw"] = "auto"
    """`sgd` has Nesterov momentum. `auto`: what the task is known to want, else `sgd` for convolutional networks and `adamw` for
    ConvNeXt and transformers."""
    learning_rate: Auto | Annotated[float, Field(gt=0, le=100)] = "auto"
    """Peak learning rate for the whole batch (it is not scaled further).
    `auto`: by the task, mostly 0.1 per 128 images for `sgd` and 0.001 per 256 images for `adamw`."""
    weight_decay: Auto | Annotated[float, Field(ge=0, le=1)] = "auto"
    """Weight decay, decoupled for `adamw`. `auto`: by the task, mostly 0.0005 for `sgd` and 0.05 for `adamw`."""
    momentum: Auto | Annotated[float, Field(ge=0, lt=1)] = "auto"
    """Momentum of `sgd`, first beta of `adamw`. `auto`: by the task, mostly 0.9."""
    beta2: Auto | Annotated[float, Field(ge=0, lt=1)] = "auto"
    """Second beta of `adamw`. `auto`: by the task, mostly 0.95."""
    warmup: float = Field(default=0.05, ge=0, le=0.5)
    """Share of the steps in which the learning rate rises from zero. 0 to 0.5."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """What the learning rate does after the warm-up."""


class ResolvedOptimizer(Spec):
    """An optimizer with nothing left to decide."""

    name: Literal["sgd", "adamw"]
    """`sgd` has Nesterov momentum."""
    learning_rate: float
    """Peak learning rate."""
    weight_decay: float
    """Weight decay, decoupled for `adamw`."""
    momentum: float
    """Momentum of `sgd`, first beta of `adamw`."""
    beta2: float = 0.95
    """Second beta of `adamw`."""
    warmup_steps: int
    """Steps in which the learning rate rises from zero."""
    schedule: Literal["cosine", "constant"]
    """What the learning rate does after the warm-up."""


class EarlyStopping(Spec):
    """When a training ends before its planned length. The learning rate goes on as planned until then."""

    metric: Literal["auto", "loss", "rankme", "knn_accuracy"] = "auto"
    """What has to go on improving: the training loss, the effective rank of the features (more is better), or the accuracy of
    nearest neighbours by the labels, if there are any (then labels decide when the training ends). `auto`: the loss, or, for tasks
    whose loss does not tell progress (GANs), the rank."""
    patience: float = Field(default=0.2, gt=0, le=0.9)
    """Share of the planned steps without a gain that noise does not explain, after which it ends. Above 0, at most 0.9."""


class PretrainSpec(Spec):
    """A pretraining as it is asked for: everything but the task has a good default."""

    task: PretextTask
    """The pretext task and its settings."""
    encoder: EncoderSpec = EncoderSpec()
    """The network to train."""
    image_size: Auto | Annotated[int, Field(ge=8, le=512)] = "auto"
    """Side of the square that the network sees, in pixels. `auto`: the median shorter side of the dataset, rounded down to a usual
    size from 32 to 224."""
    clip_frames: Auto | Annotated[int, Field(ge=2, le=128)] = "auto"
    """Frames of the clips that the network sees, for tasks about videos. `auto`: 16, or 8 or 4 where most videos are too short."""
    frame_stride: Auto | Annotated[int, Field(ge=1, le=64)] = "auto"
    """A clip has every so-manieth frame of its video. `auto`: 2, or 1 where most videos are too short."""
    clips_per_video: Auto | Annotated[int, Field(ge=1, le=1_000_000)] = "auto"
    """Most clips of one video, spread evenly over it; the rest of it is never decoded. `auto`: as many as fit into it, unless all
    frames of the dataset would take more than 16 GiB."""
    epochs: Auto | Annotated[int, Field(ge=1, le=10_000)] = "auto"
    """Passes over the dataset; give this or `steps`. `auto`: 5 million images' worth, or a million clips', within 10 to
    200 epochs."""
    steps: Auto | Annotated[int, Field(ge=1, le=100_000_000)] = "auto"
    """Optimizer steps; give this or `epochs`."""
    batch_size: Auto | Annotated[int, Field(ge=2, le=65_536)] = "auto"
    """Images or clips a step. May not exceed the dataset. `auto`: by the task, mostly 128 up to 64 px and 64 above, and no more
    than the dataset has."""
    optimizer: OptimizerSpec = OptimizerSpec()
    """How the weights are updated."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of the network's arithmetic; the weights stay fp32. `auto`: bf16 on a GPU, fp32 on a CPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train. `auto`: a GPU if a worker has one."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Seed of the weights, the data order and the augmentation."""
    init_from: str | None = None
    """Id of a model whose encoder the training begins with, instead of random weights."""
    early_stopping: EarlyStopping | None = None
    """End the training when it no longer improves, and fail it when the features collapse; `{}` for defaults. None: train to the
    planned length, whatever the verdict."""
    follow_knn: bool = False
    """Whether to follow the accuracy of nearest neighbours by the labels, if there are any. The training does not see them."""
    formats: Formats = Field(default=["onnx", "pt2"])
    """What the bundle has beside `encoder.safetensors`: `onnx` for ONNX Runtime, `pt2` for `torch.export.load`."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs != "auto" and self.steps != "auto":
            raise ValueError("give `epochs` or `steps`, not both: one follows from the other")
        return self


class ResolvedPretrain(Spec):
    """A pretraining with nothing left to decide.

    The same resolved spec on the same data gives the same encoder: to the bit on the same CPU, up to rounding on a GPU.
    """

    task: PretextTask
    """The pretext task and its settings."""
    encoder: ResolvedEncoder
    """The network to train."""
    image_size: int
    """Side of the square that the network sees, in pixels."""
    clip_frames: int | None = None
    """Frames of the clips that the network sees; none if the task is about images."""
    frame_stride: int | None = None
    """A clip has every so-manieth frame of its video."""
    clips_per_video: int | None = None
    """Most clips of one video; none if it is as many as fit."""
    epochs: int
    """Passes over the dataset; the last may be cut short by `steps`."""
    steps: int
    """Optimizer steps in all."""
    batch_size: int
    """Images a step."""
    optimizer: ResolvedOptimizer
    """How the weights are updated."""
    precision: Literal["auto", "fp32", "bf16"]
    """Number format of the network's arithmetic. `auto` only until the first worker has claimed the job."""
    device: Literal["auto", "cpu", "cuda"]
    """Where to train. `auto` only until the first worker has claimed the job."""
    seed: int
    """Seed of the weights, the data order and the augmentation."""
    init_from: str | None = None
    """Id of a model whose encoder the training begins with, instead of random weights."""
    early_stopping: EarlyStopping | None = None
    """When it ends before its planned length. None: never."""
    follow_knn: bool = False
    """Whether the accuracy of nearest neighbours is followed."""
    formats: Formats = Field(default=["onnx", "pt2"])
    """What the bundle has beside `encoder.safetensors`."""

    def on_device(self, device: Literal["cpu", "cuda"]) -> "ResolvedPretrain":
        """Pin device and precision, where they are still open, to those of the worker that runs the job."""
        if self.device != "auto":
            device = self.device
        precision = self.precision
        if precision == "auto":
            precision = "bf16" if device == "cuda" else "fp32"
        return self.model_copy(update={"device": device, "precision": precision})


def resolve(spec: PretrainSpec, facts: DatasetFacts) -> ResolvedPretrain:
    """Decide every "auto" for a dataset.

    Raises:
        SpecError: what was asked cannot be done with this dataset; names the field and says what can.
    """
    _check_kinds(spec, facts)
    spec = spec.model_copy(update={"encoder": _named(spec)})
    size = _image_size(spec, facts)
    encoder = _encoder(spec, size)
    clips = None if spec.task.modality == "image" else _clips(spec, facts, size)
    samples = facts.images if clips is None else clips.count
    batch = _batch_size(spec, samples, size)
    per_epoch = samples // batch
    if spec.steps != "auto":
        steps = spec.steps
    else:
        scheduled = SCHEDULED_IMAGES if clips is None else SCHEDULED_CLIPS
        epochs = spec.epochs if spec.epochs != "auto" else min(200, max(10, round(scheduled / samples)))
        steps = epochs * per_epoch
    about = Circumstances(
        image_size=size, images=samples, batch_size=batch, encoder=encoder, clip_frames=None if clips is None else clips.frames
    )
    task = spec.task.resolved(about)
    return ResolvedPretrain(
        task=task,
        encoder=encoder,
        image_size=size,
        clip_frames=None if clips is None else clips.frames,
        frame_stride=None if clips is None else clips.stride,
        clips_per_video=None if clips is None else clips.per_video,
        epochs=math.ceil(steps / per_epoch),
        steps=steps,
        batch_size=batch,
        optimizer=_optimizer(spec.optimizer, task, encoder, batch, steps),
        precision=spec.precision,
        device=spec.device,
        seed=spec.seed,
        init_from=spec.init_from,
        early_stopping=spec.early_stopping,
        follow_knn=spec.follow_knn or (spec.early_stopping is not None and spec.early_stopping.metric == "knn_accuracy"),
        formats=spec.formats,
    )


def _check_kinds(spec: PretrainSpec, facts: DatasetFacts) -> None:
    wanted = spec.task.modality
    if wanted != facts.kind:
        others = ", ".join(name for name, task in TASKS.items() if task.modality == facts.kind)
        told = f"{spec.task.name} is about {wanted}s, and the dataset is of {facts.kind}s"
        raise SpecError("task.name", f"{told}; choose one of {others}" if others else f"{told}, for which there is no task yet")
    if wanted == "image":
        for name in ("clip_frames", "frame_stride", "clips_per_video"):
            if getattr(spec, name) != "auto":
                raise SpecError(name, f"{spec.task.name} is about images, which have no clips; leave `{name}` out")
        if spec.encoder.name != "auto" and ENCODERS[spec.encoder.name].modality == "video":
            names = ", ".join(name for name, info in ENCODERS.items() if info.modality == "image")
            told = f"{spec.encoder.name} looks at clips, and the task is about images; choose one of {names}"
            raise SpecError("encoder.name", told)


def _named(spec: PretrainSpec) -> EncoderSpec:
    if spec.encoder.name != "auto":
        return spec.encoder
    return spec.encoder.model_copy(update={"name": "resnet18" if spec.task.modality == "image" else "r3d_18"})


@dataclass(frozen=True)
class _Clips:
    frames: int
    stride: int
    per_video: int | None
    count: int


def _clips(spec: PretrainSpec, facts: DatasetFacts, size: int) -> _Clips:
    """How the videos of a dataset are cut."""
    fewest = ENCODERS[spec.encoder.name].min_frames
    if spec.clip_frames != "auto" and spec.clip_frames < fewest:
        raise SpecError("clip_frames", f"{spec.encoder.name} needs clips of at least {fewest} frames; it is {spec.clip_frames}")
    wanted = [frames for frames in CLIP_FRAMES if frames >= fewest] if spec.clip_frames == "auto" else [spec.clip_frames]
    strides = list(FRAME_STRIDES) if spec.frame_stride == "auto" else [spec.frame_stride]
    videos = sum(count for _, count in facts.lengths)

    def fitting(frames: int, stride: int) -> int:
        span = span_of(spec.task.decode_frames(frames), stride)
        return sum(count for length, count in facts.lengths if length >= span)

    choices = [(frames, stride) for frames in wanted for stride in strides]
    frames, stride = next((choice for choice in choices if fitting(*choice) >= _MOST_FIT * videos), choices[-1])
    given = spec.task.decode_frames(frames)
    per_video = None if spec.clips_per_video == "auto" else spec.clips_per_video
    if per_video is None and (facts.frames or 0) * size**2 * 3 > _MOST_FRAME_BYTES:
        per_video = max(1, _MOST_FRAME_BYTES // (videos * 2 * span_of(given, stride) * size**2 * 3))
    count = clips_of(facts.lengths, given, stride, per_video)
    if count < 2:
        longest = max((length for length, _ in facts.lengths), default=0)
        raise SpecError(
            "clip_frames",
            f"{spec.task.name} needs {given} frames of a video for clips of {frames}, and the dataset has {count} such; "
            f"its longest video has {longest} frames; choose a smaller `clip_frames`, or upload longer videos",
        )
    return _Clips(frames, stride, per_video, count)


def _image_size(spec: PretrainSpec, facts: DatasetFacts) -> int:
    if spec.image_size != "auto":
        return spec.image_size
    info = ENCODERS[spec.encoder.name]
    smallest = info.min_image_size_small_stem if info.small_stem and spec.encoder.stem != "standard" else info.min_image_size
    usual = [size for size in IMAGE_SIZES if size >= smallest]
    return max((size for size in usual if size <= facts.median_side), default=usual[0])


def _encoder(spec: PretrainSpec, size: int) -> ResolvedEncoder:
    info = ENCODERS[spec.encoder.name]
    stem = spec.encoder.stem
    if stem == "small" and not info.small_stem:
        raise SpecError("encoder.stem", f"{info.name} has no small-image stem; leave `stem` out or choose `standard`")
    if stem == "auto":
        stem = "small" if info.small_stem and size <= SMALL_IMAGE else "standard"
    smallest = info.min_image_size_small_stem if stem == "small" else info.min_image_size
    if size < smallest:
        raise SpecError(
            "image_size", f"{info.name} with the {stem} stem needs images of at least {smallest} px; `image_size` is {size}"
        )
    patch = info.patch_small_stem if stem == "small" else info.patch
    if size % patch:
        raise SpecError("image_size", f"{info.name} with the {stem} stem needs a multiple of {patch} px; `image_size` is {size}")
    return ResolvedEncoder(name=info.name, stem=stem)


def _batch_size(spec: PretrainSpec, samples: int, size: int) -> int:
    if samples < 2:
        raise SpecError("dataset_id", "the dataset has one usable image; pretraining needs at least 2, and thousands to learn from")
    if spec.batch_size == "auto":
        return min(spec.task.auto_batch(size), samples)
    if spec.batch_size > samples:
        what = "images" if spec.task.modality == "image" else "clips"
        raise SpecError(
            "batch_size", f"`batch_size` is {spec.batch_size}, but the dataset has {samples} {what}; choose at most that"
        )
    return spec.batch_size


def _optimizer(spec: OptimizerSpec, task: Task, encoder: ResolvedEncoder, batch: int, steps: int) -> ResolvedOptimizer:
    name = spec.name if spec.name != "auto" else task.optimizer or ENCODERS[encoder.name].optimizer
    defaults = task.sgd if name == "sgd" else task.adamw
    return ResolvedOptimizer(
        name=name,
        learning_rate=defaults.rate(batch) if spec.learning_rate == "auto" else spec.learning_rate,
        weight_decay=defaults.weight_decay if spec.weight_decay == "auto" else spec.weight_decay,
        momentum=defaults.momentum if spec.momentum == "auto" else spec.momentum,
        beta2=defaults.beta2 if spec.beta2 == "auto" else spec.beta2,
        warmup_steps=round(spec.warmup * steps),
        schedule=spec.schedule,
    )
