"""What every pretext task is to the training loop.

B: batch, D: side of the images as they are decoded (the spec's `decode_size`).
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ssl_core.encoders import Encoder
from ssl_core.optim import build_optimizer
from ssl_core.spec import ResolvedPretrain


class PretextTask(nn.Module, ABC):
    """An encoder with a head, and a question to it that the data answers by itself.

    The loop knows `training_step`, `optimizers` and nothing else of a task. One whose players are trained against each other
    overrides both.

    Args:
        encoder: what is trained and handed out.
        spec: what was asked for.
    """

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__()
        self.encoder = encoder
        self.spec = spec

    @abstractmethod
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Ask about a batch.

        Args:
            images: uint8 (B, 3, D, D) on the device, channels last.

        Returns:
            `loss` and the task's metrics, each a mean over the batch, a tensor without dimensions.
        """

    def optimizers(self) -> list[Optimizer]:
        """The optimizers, in the order in which checkpoints keep them. Called once, before the first step."""
        return [build_optimizer(self, self.spec.optimizer)]

    def autocast(self) -> torch.autocast:
        """The arithmetic that was asked for. Forward passes belong in it, backward passes and penalties that need fp32 do not."""
        device = next(self.parameters()).device
        return torch.autocast(device.type, torch.bfloat16, enabled=self.spec.precision == "bf16")

    def training_step(self, images: Tensor, optimizers: list[Optimizer]) -> dict[str, Tensor]:
        """Ask about a batch and learn from the answer. Arguments and result as of `forward`."""
        (optimizer,) = optimizers
        with self.autocast():
            metrics = self(images)
        optimizer.zero_grad(set_to_none=True)
        metrics["loss"].backward()
        optimizer.step()
        return {name: value.detach() for name, value in metrics.items()}
