"""What every pretext task is to the training loop.

B: batch, R: side of the images as they are decoded (the spec's `decode_size`), S: side of what the network sees, D: features.
"""

from abc import ABC, abstractmethod
from functools import cache
from typing import Any, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ssl_core.augment import Normalize, resized_crop, shift_and_flip
from ssl_core.encoders import Encoder
from ssl_core.optim import build_optimizer
from ssl_core.pictures import Panel, Picture
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import Cropped, Task

SettingsT = TypeVar("SettingsT", bound=Task)
SEEN = "What the network sees"
"""A title in previews."""
Question = dict[str, Tensor]
"""What the network is shown, and what would be right, by name. Each has a row for each image or view."""


class PretextTask(nn.Module, ABC, Generic[SettingsT]):
    """An encoder with a head, and a question to it that the data answers by itself.

    A step is `ask` and `training_step`; the loop knows these, `optimizers` and `picture`, and nothing else of a task. One whose
    players are trained against each other overrides `training_step` and `optimizers`.

    Args:
        encoder: what is trained and handed out.
        spec: what was asked for.
    """

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__()
        self.encoder = encoder
        self.spec = spec
        self.settings = cast("SettingsT", spec.task)
        self.size = spec.image_size
        self.normalize = Normalize()

    def prepare(self, images: npt.NDArray[np.uint8]) -> None:
        """Learn what the task has to know of the dataset, once, before the module goes to its device.

        Args:
            images: uint8 (N, R, R, 3), a memory map that may be larger than memory: look at a sample.
        """

    @abstractmethod
    def ask(self, images: Tensor) -> Question:
        """Make a question of a batch: augment it, hide something of it, and keep what was hidden.

        Called without gradients and outside of autocast. Every draw is made per image.

        Args:
            images: uint8 (B, 3, R, R) on the device, channels last.
        """

    @abstractmethod
    def answer(self, question: Question) -> dict[str, Tensor]:
        """Let the network answer.

        Returns:
            `loss` and the task's metrics, each a mean over the batch, a tensor without dimensions.
        """

    @abstractmethod
    def picture(self, images: Tensor) -> Picture:
        """Show a few questions, the network's answers, and what is right. Called in evaluation mode, without gradients.

        Args:
            images: as of `ask`.
        """

    @abstractmethod
    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        """Show a few questions and what is right, without asking the network, whose weights may not be there.

        Args:
            images: as of `ask`, four at most. Of clips, those in which most moves come first.
        """

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Ask about a batch and answer. Arguments and result as of `ask` and `answer`."""
        with torch.no_grad():
            question = self.ask(images)
        return self.answer(question)

    def optimizers(self) -> list[Optimizer]:
        """The optimizers, in the order in which checkpoints keep them. Called once, before the first step."""
        return [build_optimizer(self, self.spec.optimizer)]

    def autocast(self) -> torch.autocast:
        """The arithmetic that was asked for. Forward passes belong in it, backward passes and penalties that need fp32 do not."""
        device = next(self.parameters()).device
        enabled = self.spec.precision == "bf16" and why_not_bf16(self.spec, device) is None
        return torch.autocast(device.type, torch.bfloat16, enabled=enabled)

    def training_step(self, question: Question, optimizers: list[Optimizer]) -> dict[str, Tensor]:
        """Answer and learn from it. Arguments and result as of `answer`."""
        (optimizer,) = optimizers
        with self.autocast():
            metrics = self.answer(question)
        optimizer.zero_grad(set_to_none=True)
        metrics["loss"].backward()  # type: ignore[no-untyped-call]  # torch's stubs lack it
        optimizer.step()
        return {name: value.detach() for name, value in metrics.items()}

    def as_input(self, images: Tensor) -> Tensor:
        """uint8 or float levels (B, 3, S, S) or (B, 3, T, S, S) of 0 to 255, normalised, as the encoder takes them."""
        normalized: Tensor = self.normalize(images)
        return normalized.contiguous(memory_format=channels_last(images.ndim))


def channels_last(dimensions: int) -> torch.memory_format:
    """The memory format in which convolutions of images, of 4 dimensions, or clips, of 5, are fastest."""
    return torch.channels_last if dimensions == 4 else torch.channels_last_3d


def lay_out(module: nn.Module) -> None:
    """Lay the weights of a module's convolutions out as they are fastest, those of 2D and 3D side by side."""
    for parameter in module.parameters():
        if parameter.ndim in {4, 5}:
            parameter.data = parameter.data.contiguous(memory_format=channels_last(parameter.ndim))


@cache
def computes_bf16(device: torch.device) -> bool:
    """Whether bf16 is an arithmetic of the device. GPUs before Ampere only imitate it, which is slower than fp32."""
    return device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def why_not_bf16(spec: ResolvedPretrain, device: torch.device) -> str | None:
    """Why a training that was asked for bf16 is in fp32; None if it is not."""
    if spec.precision != "bf16":
        return None
    if device.type == "cpu" and spec.clip_frames is not None:
        # Of a 3x3x3 convolution of two frames, torch 2.13 sums memory that nobody has written into the weights' gradients.
        return "on a CPU, the gradients of 3D convolutions in bf16 are wrong"
    if computes_bf16(device):
        return None
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "this CPU"
    return f"{name} has no bf16 arithmetic of its own"


class CroppedTask(PretextTask[SettingsT]):
    """A task whose images are cropped at random and mirrored before it asks about them."""

    def cropped(self, images: Tensor) -> Tensor:
        """uint8 (B, 3, S, S) of uint8 (B, 3, R, R)."""
        settings: Any = self.settings
        assert isinstance(settings, Cropped)
        if settings.crop == "resized":
            return resized_crop(images, self.size, settings.crop_scale, flip=settings.flip)
        return shift_and_flip(images, settings.crop_padding if settings.crop == "pad" else 0, flip=settings.flip)


def as_picture(images: Tensor) -> npt.NDArray[np.uint8]:
    """Levels (B, 3, H, W) of 0 to 255, as uint8 (B, H, W, 3) for a picture."""
    levels: npt.NDArray[np.uint8] = images.float().round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return levels
