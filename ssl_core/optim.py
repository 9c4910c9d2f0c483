"""Optimizers and the learning rate's schedule."""

import math

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from ssl_core.spec import ResolvedOptimizer

_ADAM_BETA2 = 0.95


def build_optimizer(module: nn.Module, spec: ResolvedOptimizer) -> Optimizer:
    """An optimizer over all weights of a module. Biases and normalisation weights are not decayed."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": spec.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    if spec.name == "adamw":
        return AdamW(groups, lr=spec.learning_rate, betas=(spec.momentum, _ADAM_BETA2), fused=True)
    return SGD(groups, lr=spec.learning_rate, momentum=spec.momentum, nesterov=spec.momentum > 0, fused=True)


def rate_at(step: int, steps: int, spec: ResolvedOptimizer) -> float:
    """Share of the peak learning rate, 0 to 1, with which step number `step` (from 0) of `steps` is taken."""
    if step < spec.warmup_steps:
        return (step + 1) / (spec.warmup_steps + 1)
    if spec.schedule == "constant":
        return 1.0
    done = (step - spec.warmup_steps) / max(1, steps - spec.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * done))


def set_rate(optimizer: Optimizer, share: float) -> None:
    """Set the learning rate to a share of each group's peak."""
    for group in optimizer.param_groups:
        peak = group.setdefault("peak_lr", group["lr"])
        group["lr"] = peak * share
