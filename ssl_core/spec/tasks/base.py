"""What all pretext tasks have in common, as far as it can be said without torch."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ssl_core.spec.base import Auto, Spec, SpecError
from ssl_core.spec.encoders import ENCODERS, ResolvedEncoder
from ssl_core.statistics import Statistics

SMALL_IMAGE = 64
"""Largest image side, in pixels, that small-image stems and padded crops are for."""


@dataclass(frozen=True)
class OptimizerDefaults:
    """What "auto" means for the settings of an optimizer."""

    learning_rate: float
    """Peak rate for `per` images in a batch."""
    per: int | None
    """The rate grows with the batch: it is for so many images. None: it does not."""
    weight_decay: float
    momentum: float
    """Momentum of `sgd`, first beta of `adamw`."""
    beta2: float = 0.95
    """Second beta of `adamw`."""

    def rate(self, batch: int) -> float:
        """Peak learning rate for a batch."""
        return self.learning_rate * (batch / self.per if self.per else 1)


@dataclass(frozen=True)
class Circumstances:
    """What a task's settings are decided by."""

    image_size: int
    """Side of the square that the network sees, in pixels."""
    images: int
    """Number of images in the dataset."""
    batch_size: int
    """Images a step."""
    encoder: ResolvedEncoder
    clip_frames: int | None = None
    """Frames of a clip; None if the task is about images."""


@dataclass(frozen=True)
class Concern:
    """Something in the data that gives a task away or makes it meaningless."""

    message: str
    """What it is, and what to do."""
    fatal: bool = False
    """Whether the task cannot work at all."""


class Task(Spec):
    """A pretext task's settings, and what is known of the task without running it.

    A subclass has a `name` with a literal type, a docstring under each field, and the class variables below.
    """

    summary: ClassVar[str]
    """What the network has to do, in a sentence."""
    learns_from: ClassVar[str]
    """What it learns by that, and where it cannot."""
    preview: ClassVar[str]
    """What a preview shows: questions of a dataset's own samples, and what is right. For those who do not see it, too."""
    paper: ClassVar[str]
    """Where it comes from, a URL."""
    modality: ClassVar[Literal["image", "video"]] = "image"
    """What it asks about: images or clips."""
    loss_tells: ClassVar[bool] = True
    """Whether a lower loss means that more was learned. Not where two networks play against each other."""
    chance_accuracy: ClassVar[float | None] = None
    """Accuracy of guessing, 0 to 1; None where there is no accuracy, or where it depends on the settings."""
    shown_as: ClassVar[Literal["rgb", "lightness"]] = "rgb"
    """What the encoder is shown of an image: everything, or its lightness L* alone."""
    optimizer: ClassVar[Literal["sgd", "adamw"] | None] = None
    """The optimizer that the task wants; None: the encoder's family decides."""
    sgd: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.1, 128, 5e-4, 0.9)
    adamw: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.001, 256, 0.05, 0.9)

    name: str
    """The task's name."""

    def auto_batch(self, image_size: int) -> int:
        """Images a step, if nothing is said."""
        return 128 if image_size <= SMALL_IMAGE else 64

    def resolved(self, about: Circumstances) -> Self:  # noqa: ARG002  subclasses look at it
        """The same task with every "auto" decided.

        Raises:
            SpecError: it cannot work like this; names the field, and says what can.
        """
        return self

    def decode_size(self, image_size: int) -> int:
        """Side of the images that the training is given, in pixels, if the network sees `image_size`. Asked once it is resolved."""
        return image_size

    def decode_frames(self, clip_frames: int) -> int:
        """Number of frames that the training is given, if the network sees clips of `clip_frames`. Asked before it is resolved."""
        return clip_frames

    def chance(self) -> float | None:
        """Accuracy of guessing, 0 to 1, with these settings; None where there is no accuracy."""
        return self.chance_accuracy

    def sketched(self) -> Self:
        """The same with networks as small as they may be, for previews, in which nothing that a network has learnt is shown."""
        return self

    def concerns(self, about: Statistics) -> list[Concern]:  # noqa: ARG002  subclasses look at it
        """What in the data speaks against this task."""
        return []


class Cropped(Task):
    """A task whose images are cropped at random and mirrored before it asks about them."""

    crop: Literal["auto", "pad", "resized", "none"] = "auto"
    """How an image is cropped first. `pad`: shifted by up to `crop_padding`, the border filled by reflection;
    `resized`: a random area of at least `crop_scale` and of varying aspect, scaled to `image_size`; `none`: the whole image.
    `auto`: `pad` up to 64 px, `resized` above."""
    crop_padding: int = Field(default=4, ge=0, le=32)
    """Largest shift of the `pad` crop, in pixels each way. 0 to 32."""
    crop_scale: float = Field(default=0.35, gt=0, le=1)
    """Smallest area of the `resized` crop, as a fraction of the image. Above 0, at most 1."""
    flip: bool = True
    """Mirror half of the images left to right."""

    def resolved(self, about: Circumstances) -> Self:
        if self.crop != "auto":
            return self
        return self.model_copy(update={"crop": "pad" if about.image_size <= SMALL_IMAGE else "resized"})

    def decode_size(self, image_size: int) -> int:
        return round(image_size * 8 / 7) if self.crop == "resized" else image_size


class TwoViews(Task):
    """A task that compares two views of an image, each cropped, mirrored and coloured by draws of its own."""

    crop_scale: float = Field(default=0.2, gt=0, le=1)
    """Smallest area of a view, as a fraction of the image. Above 0, at most 1."""
    flip: bool = True
    """Mirror half of the views left to right."""
    jitter: float = Field(default=0.5, ge=0, le=1)
    """Strength of the change of brightness, contrast, saturation (each by a factor of 1 ± 0.8 times this) and hue (by 0.2 times
    this of a turn), made in four of five views. 0 to 1."""
    grayscale: float = Field(default=0.2, ge=0, le=1)
    """Probability that a view loses its colours. 0 to 1."""
    blur: Auto | Annotated[float, Field(ge=0, le=1)] = "auto"
    """Probability that a view is blurred, by a Gaussian with a sigma of 0.1 to 2 px at 224 px. `auto`: 0 up to 64 px, 0.5 above."""

    def resolved(self, about: Circumstances) -> Self:
        if about.batch_size < 8:
            raise SpecError(
                "batch_size",
                f"{self.name} compares the images of a batch with each other and needs at least 8 of them, better 256; "
                f"`batch_size` is {about.batch_size}",
            )
        blur = (0.0 if about.image_size <= SMALL_IMAGE else 0.5) if self.blur == "auto" else self.blur
        return self.model_copy(update={"blur": blur})

    def decode_size(self, image_size: int) -> int:
        return image_size if image_size <= SMALL_IMAGE else round(image_size * 8 / 7)


def smallest_tile(encoder: ResolvedEncoder) -> int | None:
    """Side of the smallest tile that an encoder can look at by itself, in pixels; None if it takes whole images only."""
    info = ENCODERS[encoder.name]
    return info.min_tile_small_stem if encoder.stem == "small" else info.min_tile


def refuse_small_tiles(tile: int, encoder: ResolvedEncoder, what: str, remedy: str) -> None:
    """Refuse tiles that an encoder cannot look at one by one.

    Raises:
        SpecError: names the field, and says what can be done.
    """
    info, smallest = ENCODERS[encoder.name], smallest_tile(encoder)
    if smallest is None:
        raise SpecError(
            "encoder.name",
            f"{what} shows the encoder tiles, and {info.name} takes whole images only, for the places in it are counted; "
            "choose a convolutional network or swin_t",
        )
    if tile < smallest:
        raise SpecError(
            "image_size",
            f"{what} makes tiles of {tile} px, and {info.name} with the {encoder.stem} stem needs at least {smallest} px; {remedy}",
        )
