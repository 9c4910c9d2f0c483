"""What each choice of arithmetic brings: forward and backward of an encoder with a linear head, and a step of its optimizer.

Run it by `python -m benchmarks.choices [--configurations tiny@32,resnet18@32] [--batch-size 64] [--steps 5] [--rounds 3]
[--device cpu] [--no-compile]`. The contenders take turns. Each ratio is to fp32 in the default memory format, eager, in the same
round; above 1 is faster. The first steps of each, in which things are compiled or chosen, are not timed.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.jobs import set_up, synchronize
from ssl_core.encoders import build_encoder
from ssl_core.spec import ENCODERS, ResolvedEncoder

_WARM_UP = 2


@dataclass(frozen=True)
class Choice:
    """A way to compute the same."""

    name: str
    channels_last: bool = False
    bf16: bool = False
    compiled: bool = False


CHOICES = (
    Choice("fp32, default format, eager"),
    Choice("channels_last", channels_last=True),
    Choice("bf16", bf16=True),
    Choice("channels_last, bf16", channels_last=True, bf16=True),
    Choice("compiled", compiled=True),
    Choice("channels_last, compiled", channels_last=True, compiled=True),
    Choice("channels_last, bf16, compiled", channels_last=True, bf16=True, compiled=True),
)
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "for each weight": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}


def _model(name: str, size: int) -> nn.Module:
    torch.manual_seed(0)
    stem = "small" if ENCODERS[name].small_stem and size <= 64 else "standard"
    encoder = build_encoder(ResolvedEncoder(name=name, stem=stem), size)
    return nn.Sequential(encoder, nn.Linear(encoder.features, 4))


class Contender:
    """Forward and backward by one choice; made once, for compiling takes long."""

    def __init__(self, name: str, size: int, batch: int, choice: Choice, device: torch.device) -> None:
        memory_format = torch.channels_last if choice.channels_last else torch.contiguous_format
        self._module: Any = _model(name, size).to(device).to(memory_format=memory_format)  # type: ignore[call-overload]
        self._run: Callable[[torch.Tensor], torch.Tensor] = torch.compile(self._module) if choice.compiled else self._module
        self._images = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=memory_format)
        self._answers = torch.randint(4, (batch,), device=device)
        self._choice, self._device = choice, device
        started = time.perf_counter()
        self.rate(_WARM_UP)
        self.first_seconds = time.perf_counter() - started

    def rate(self, steps: int) -> float:
        """Images/s."""
        synchronize(self._device)
        started = time.perf_counter()
        for _ in range(steps):
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._choice.bf16):
                answers = self._run(self._images)
            torch.autograd.backward(functional.cross_entropy(answers.float(), self._answers))
            self._module.zero_grad(set_to_none=True)
        synchronize(self._device)
        return steps * len(self._images) / (time.perf_counter() - started)


def show_passes(name: str, size: int, asked: argparse.Namespace) -> None:
    """Print the rates of forward and backward."""
    device = torch.device(asked.device)
    choices = [choice for choice in CHOICES if not (choice.compiled and asked.no_compile)]
    contenders = {choice.name: Contender(name, size, asked.batch_size, choice, device) for choice in choices}
    rounds = [{what: contender.rate(asked.steps) for what, contender in contenders.items()} for _ in range(asked.rounds)]
    for what, contender in contenders.items():
        ratio = median(rates[what] / rates[choices[0].name] for rates in rounds)
        rate = median(rates[what] for rates in rounds)
        print(f"| {name}@{size} | {what} | {rate:,.0f} | {ratio:.2f} | {contender.first_seconds:.1f} |", flush=True)


def show_optimizers(name: str, size: int, asked: argparse.Namespace) -> None:
    """Print the milliseconds of an optimizer's step."""
    device = torch.device(asked.device)
    for kind in (torch.optim.SGD, torch.optim.AdamW):
        times: dict[str, list[float]] = {what: [] for what in OPTIMIZERS}
        module = _model(name, size).to(device)
        for parameter in module.parameters():
            parameter.grad = torch.randn_like(parameter)
        more: dict[str, Any] = {"momentum": 0.9, "nesterov": True} if kind is torch.optim.SGD else {}
        made = {what: kind(module.parameters(), lr=1e-4, **more, **options) for what, options in OPTIMIZERS.items()}
        for _ in range(asked.rounds + 1):
            for what, optimizer in made.items():
                synchronize(device)
                started = time.perf_counter()
                for _ in range(asked.steps):
                    optimizer.step()
                synchronize(device)
                times[what].append((time.perf_counter() - started) / asked.steps * 1000)
        told = ", ".join(f"{what} {median(spent[1:]):.2f} ms" for what, spent in times.items())
        print(f"{name}, a step of {kind.__name__}: {told}", flush=True)


def main() -> None:
    """Measure in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", default="tiny@32,resnet18@32", help="encoder@image size")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--no-compile", action="store_true", help="where there is no C++ compiler")
    asked = parser.parse_args()
    set_up(torch.device(asked.device))
    pairs = [(name, int(size)) for name, _, size in (word.partition("@") for word in asked.configurations.split(","))]
    print("| configuration | forward and backward | images/s | ratio | first two steps, s |\n|---|---|---|---|---|")
    for name, size in pairs:
        show_passes(name, size, asked)
    for name, size in pairs:
        show_optimizers(name, size, asked)


if __name__ == "__main__":
    main()
