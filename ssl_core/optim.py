"""Optimizers and the learning rate's schedule."""

import math

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from ssl_core.spec import ResolvedOptimizer

_NEVER_DECAYED = {"class_token", "pos_embedding", "layer_scale", "relative_position_bias_table"}
"""Weights of transformers and ConvNeXt that are biases or scales, though they have more than one dimension."""


def build_optimizer(module: nn.Module, spec: ResolvedOptimizer) -> Optimizer:
    """An optimizer over all weights of a module. Biases, scales, normalisation weights and embeddings of places are not decayed."""
    trained = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for name, parameter in trained if _is_decayed(name, parameter)], "weight_decay": spec.weight_decay},
        {"params": [parameter for name, parameter in trained if not _is_decayed(name, parameter)], "weight_decay": 0.0},
    ]
    if spec.name == "adamw":
        return AdamW(groups, lr=spec.learning_rate, betas=(spec.momentum, spec.beta2), fused=True)
    return SGD(groups, lr=spec.learning_rate, momentum=spec.momentum, nesterov=spec.momentum > 0, fused=True)


def _is_decayed(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim > 1 and name.rpartition(".")[2] not in _NEVER_DECAYED


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
