"""Checkpoints: one safetensors file with every tensor of a training, and the rest as JSON in its header. No pickle is ever read.

What is not in it is derived from the seed and the step: the order of the data and all random draws.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

KEPT = 2
"""The one before the newest stays, in case the newest turns out to be damaged."""

_PATTERN = "checkpoint-*.safetensors"
_MODULE, _OPTIMIZER, _SUMS = "module.", "optimizer.", "sums."


class CheckpointError(Exception):
    """A file that is no whole checkpoint of this training."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands, besides its weights."""

    step: int
    """Steps that were taken."""
    sums: dict[str, Tensor]
    """Running sums of the metrics since they were last told; each a tensor without dimensions."""
    sums_over: int
    """Steps in those sums."""
    first: dict[str, float]
    """The first figures of the training."""
    seconds: float
    """Time spent in training so far."""


def save(folder: Path, spec: dict[str, Any], module: nn.Module, optimizers: list[Optimizer], progress: Progress) -> Path:
    """Write a checkpoint; it has its name only once it is whole and on the disk. Older ones than the last two are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{_MODULE}{name}": value for name, value in module.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{_OPTIMIZER}{number}.{index}.{name}": value for name, value in state.items() if isinstance(value, Tensor)}
    tensors |= {f"{_SUMS}{name}": value for name, value in progress.sums.items()}
    header = {
        "step": progress.step,
        "sums_over": progress.sums_over,
        "first": progress.first,
        "seconds": progress.seconds,
        "spec": spec,
        "torch": str(torch.__version__),
    }
    path = folder / f"checkpoint-{progress.step:09}.safetensors"
    partial = folder / f".{path.name}.new"
    save_file(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()}, partial, {"checkpoint": json.dumps(header)}
    )
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    for old in sorted(folder.glob(_PATTERN))[:-KEPT]:
        old.unlink()
    return path


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints in a folder."""
    return sorted(folder.glob(_PATTERN), reverse=True)


def load(path: Path, spec: dict[str, Any], module: nn.Module, optimizers: list[Optimizer]) -> Progress:
    """Put a checkpoint's state into a module and its optimizers.

    Raises:
        CheckpointError: the file is damaged, or of a training with another spec.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["checkpoint"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no dictionary
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path.name} is damaged: {error}") from error
    if header["spec"] != spec:
        raise CheckpointError(f"{path.name} is of a training with another spec; train into an empty folder")
    module.load_state_dict(_below(_MODULE, tensors))
    for number, optimizer in enumerate(optimizers):
        _load_optimizer(optimizer, _below(f"{_OPTIMIZER}{number}.", tensors))
    device = next(module.parameters()).device
    sums = {name: value.to(device) for name, value in _below(_SUMS, tensors).items()}
    return Progress(header["step"], sums, header["sums_over"], header["first"], header["seconds"])


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _load_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            # Fused kernels walk through memory: a buffer has to lie in it as its weights do, channels last for instance.
            value = torch.empty_like(parameter).copy_(value)  # noqa: PLW2901
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
