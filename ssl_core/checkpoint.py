"""Checkpoints: one safetensors file with every tensor of a training, and the rest as JSON in its header. No pickle is ever read.

What is not in it is derived from the seed and the step: the order of the data and all random draws.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from ssl_core.errors import UserError
from ssl_core.spec import ResolvedPretrain

KEPT = 2
"""The one before the newest stays, in case the newest turns out to be damaged."""

_PATTERN = "checkpoint-*.safetensors"
_HALF_WRITTEN = (f".{_PATTERN}.new", ".tmp*")
"""What a process that is killed while it saves leaves behind: our own name, and the one under which safetensors writes."""
_MODULE, _OPTIMIZER, _SUMS = "module.", "optimizer.", "sums."


class CheckpointError(Exception):
    """A checkpoint that cannot be read whole, or cannot be written."""


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
    last: dict[str, float]
    """The figures that were told last."""
    seconds: float
    """Time spent in training so far."""
    history: dict[str, Any] = field(default_factory=dict)
    """The figures so far, as of `History.state`; nothing in a checkpoint of an older version."""
    measured: dict[str, Any] = field(default_factory=dict)
    """The features' figures so far, as of `Monitor.state`."""


def save(folder: Path, spec: ResolvedPretrain, module: nn.Module, optimizers: list[Optimizer], progress: Progress) -> Path:
    """Write a checkpoint; it has its name only once it is whole and on the disk.

    Of the others only the one before it stays. Those of later steps go too: a training that is at this step either could not read
    them, or was told to go on from an earlier one.

    Raises:
        CheckpointError: it cannot be written; those that were there still are.
    """
    path = folder / f"checkpoint-{progress.step:09}.safetensors"
    partial = folder / f".{path.name}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(_tensors(module, optimizers, progress), partial, {"checkpoint": json.dumps(_header(spec, progress))})
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        if folder.is_dir():
            partial.unlink(missing_ok=True)
        raise CheckpointError(f"{path} cannot be written: {error}") from error
    _tidy(folder, path)
    return path


def _tensors(module: nn.Module, optimizers: list[Optimizer], progress: Progress) -> dict[str, Tensor]:
    tensors = {f"{_MODULE}{name}": value for name, value in module.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{_OPTIMIZER}{number}.{index}.{name}": value for name, value in state.items() if isinstance(value, Tensor)}
    tensors |= {f"{_SUMS}{name}": value for name, value in progress.sums.items()}
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _header(spec: ResolvedPretrain, progress: Progress) -> dict[str, Any]:
    figures = {name: getattr(progress, name) for name in ("step", "sums_over", "first", "last", "seconds", "history", "measured")}
    return {**figures, "spec": spec.model_dump(mode="json"), "torch": str(torch.__version__)}


def _tidy(folder: Path, newest: Path) -> None:
    found = sorted(folder.glob(_PATTERN))
    upto = [path for path in found if path.name <= newest.name]
    half = [path for pattern in _HALF_WRITTEN for path in folder.glob(pattern)]
    for path in {*found, *half} - {*upto[-KEPT:]}:
        path.unlink(missing_ok=True)


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints in a folder."""
    return sorted(folder.glob(_PATTERN), reverse=True)


def load(path: Path, spec: ResolvedPretrain, module: nn.Module, optimizers: list[Optimizer]) -> Progress:
    """Put a checkpoint's state into a module and its optimizers.

    Raises:
        CheckpointError: the file is damaged. Module and optimizers are as they were.
        UserError: it is of another training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["checkpoint"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no dictionary
        sums = _below(_SUMS, tensors)
        figures = (header["first"], header["last"], header["seconds"], header.get("history", {}), header.get("measured", {}))
        progress = Progress(header["step"], sums, header["sums_over"], *figures)
        trained = header["spec"]
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path.name} is damaged: {error}") from error
    _refuse_other(path, trained, spec)
    try:
        module.load_state_dict(_below(_MODULE, tensors))
    except RuntimeError as error:
        raise UserError(
            "other_checkpoint", f"{path.name} does not fit this version's network; train into an empty folder"
        ) from error
    for number, optimizer in enumerate(optimizers):
        _load_optimizer(optimizer, _below(f"{_OPTIMIZER}{number}.", tensors))
    device = next(module.parameters()).device
    progress.sums.update({name: value.to(device) for name, value in sums.items()})
    return progress


def _refuse_other(path: Path, trained: Any, spec: ResolvedPretrain) -> None:
    try:
        of = ResolvedPretrain.model_validate(trained)  # fields that are newer than the checkpoint get their defaults
    except ValidationError as error:
        raise UserError(
            "other_checkpoint", f"the spec in {path.name} is not one of this version's; train into an empty folder"
        ) from error
    differing = [name for name in ResolvedPretrain.model_fields if name != "formats" and getattr(of, name) != getattr(spec, name)]
    if differing:
        raise UserError(
            "other_checkpoint",
            f"{path.name} is of a training with another {', '.join(differing)}; train into an empty folder, or ask for the same",
        )


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
