"""Training beside its limit, and beside the loops that one would write without this project, in images/s.

Run it by `python -m benchmarks.throughput [--configurations tiny@32,resnet18@32,resnet50@224] [--tasks rotation,simclr]
[--steps 20] [--rounds 3] [--batch-size 32] [--device cpu] [--lightly-python PYTHON]`. On a CPU, ResNets want a small batch.

- *training*: the trainer as a job runs it, on a uint8 memory map: augmentation, optimizer, figures, events, checkpoints every 30 s.
  Neither its first steps nor the pictures after an epoch are timed. Take enough steps for some checkpoints if their cost matters.
- *limit*: forward and backward of the same networks on one question that lies ready on the device, in the same precision and memory
  format; the optimizers change nothing. A task cannot be trained faster with these networks.
- *plain*: `benchmarks.plain`, for the tasks that have a loop there.
- *lightly*: `benchmarks.lightly_simclr`, for SimCLR.

Encoders of clips train on videos, in clips/s. An image counts once, however many views or tiles are made of it. The contenders take
turns, and the ratios are medians over the rounds: on a machine that others use too they alone mean something.
"""

import argparse
import io
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim import Optimizer

from benchmarks import plain
from benchmarks.jobs import batches_of, set_up, spec_of, synchronize, task_names, task_of
from ssl_core.data import draw_as_of
from ssl_core.events import TextEvents
from ssl_core.pretext import PretextTask
from ssl_core.process import StopRequest
from ssl_core.spec import ENCODERS, TASKS, ResolvedPretrain
from ssl_core.trainer import Trainer

_WARM_UP = 3
_FRAMES = 64
"""Frames of a video."""
_CHECKPOINT_SECONDS = 30
_REPORT_EVERY = 50
"""Steps between figures in a job of 25,000 steps or more. A short one has them after every step."""


class Still(Optimizer):
    """An optimizer over the same weights that clears gradients and changes nothing."""

    def __init__(self, like: Optimizer) -> None:
        super().__init__([dict(group) for group in like.param_groups], {})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Change nothing."""


class TimedTrainer(Trainer):
    """A trainer that knows how long it took after its first steps, pictures aside, and keeps figures as often as a long one."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._report_every = _REPORT_EVERY
        self._since = self._drawing = 0.0

    def _train_step(self, images: Tensor) -> None:
        if self._step == _WARM_UP:
            synchronize(images.device)
            self._since, self._drawing = time.perf_counter(), 0.0
        super()._train_step(images)

    def _draw(self, epoch: int) -> None:
        device = next(self._task.parameters()).device
        synchronize(device)
        started = time.perf_counter()
        super()._draw(epoch)
        synchronize(device)
        self._drawing += time.perf_counter() - started

    def rate(self) -> float:
        """Train, and give the images/s, or clips/s."""
        self.run()
        synchronize(next(self._task.parameters()).device)
        timed = time.perf_counter() - self._since - self._drawing
        return (self._spec.steps - _WARM_UP) * self._spec.batch_size / timed


@dataclass(frozen=True)
class Data:
    """The same number of images as a memory map and as files; of videos a memory map alone."""

    images: npt.NDArray[np.uint8]
    """uint8 (N, R, R, 3), or (N, F, R, R, 3)."""
    files: Path


def training_rate(spec: ResolvedPretrain, images: npt.NDArray[np.uint8], device: torch.device) -> float:
    """Images/s of a job."""
    task = task_of(spec, images, device)
    batches = batches_of(spec, images, device)
    with tempfile.TemporaryDirectory() as folder:
        events = TextEvents(io.StringIO())
        trainer = TimedTrainer(task, spec, batches, Path(folder), events, StopRequest(), checkpoint_seconds=_CHECKPOINT_SECONDS)
        return trainer.rate()


def limit_rate(spec: ResolvedPretrain, images: npt.NDArray[np.uint8], device: torch.device) -> float:
    """Images/s of forward and backward on a question that is ready."""
    task: PretextTask[Any] = task_of(spec, images, device)
    optimizers: list[Optimizer] = [Still(optimizer) for optimizer in task.optimizers()]
    task.train()
    (batch,) = batches_of(spec, images, device).since(0, 1)
    draw_as_of(spec.seed, 0)
    with torch.no_grad():
        question = task.ask(batch)
    started = 0.0
    for step in range(spec.steps):
        if step == _WARM_UP:
            synchronize(device)
            started = time.perf_counter()
        task.training_step(question, optimizers)
    synchronize(device)
    return (spec.steps - _WARM_UP) * spec.batch_size / (time.perf_counter() - started)


def lightly_rate(python: str, spec: ResolvedPretrain, files: Path, device: torch.device, steps: int) -> float:
    """Images/s of LightlySSL's SimCLR under another interpreter."""
    options = {
        "encoder": spec.encoder.name,
        "stem": spec.encoder.stem,
        "image-size": spec.image_size,
        "batch-size": spec.batch_size,
        "steps": steps,
        "device": device.type,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [python, "-m", "benchmarks.lightly_simclr", str(files), *words]
    root = Path(__file__).resolve().parent.parent
    return float(subprocess.run(command, check=True, cwd=root, stdout=subprocess.PIPE, text=True).stdout.split()[-1])


def measured(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Rates of each in each round; who begins changes from round to round."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            rates[name].append(contenders[name]())
    return rates


def row(configuration: str, spec: ResolvedPretrain, rates: dict[str, list[float]]) -> str:
    """A line of the table."""
    cells = [configuration, spec.task.name, str(spec.batch_size), spec.precision]
    cells += [f"{median(rates[name]):,.0f}" if name in rates else "" for name in ("training", "limit", "plain", "lightly")]
    for name in ("limit", "plain", "lightly"):
        ratios = [ours / other for ours, other in zip(rates["training"], rates.get(name, []), strict=False)]
        cells.append(f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "")
    return f"| {' | '.join(cells)} |"


def rows(configuration: str, asked: argparse.Namespace, names: Iterable[str], folder: Path) -> Iterable[str]:
    """The lines of a configuration, as they are measured."""
    device = torch.device(asked.device)
    encoder, _, size = configuration.partition("@")
    sizes: dict[int, Data] = {}
    for name in names:
        more = {} if asked.batch_size is None else {"batch_size": asked.batch_size}
        wanted: dict[str, Any] = {"encoder": {"name": encoder}, "image_size": int(size), "steps": asked.steps + _WARM_UP, **more}
        clips = TASKS[name].modality == "video"
        count, frames = (asked.images // _FRAMES, _FRAMES) if clips else (asked.images, None)
        spec = spec_of(name, count, int(size), asked.device, asked.set, frames=frames, **wanted)
        side = spec.task.decode_size(spec.image_size)
        data = sizes.setdefault(side, _data(folder / f"{side}", asked.images, side, files=not (asked.no_plain or clips)))
        if clips:
            data = Data(data.images[: count * _FRAMES].reshape(count, _FRAMES, side, side, 3), data.files)
        contenders: dict[str, Callable[[], float]] = {
            "training": lambda spec=spec, data=data: training_rate(spec, data.images, device),  # type: ignore[misc]
            "limit": lambda spec=spec, data=data: limit_rate(spec, data.images, device),  # type: ignore[misc]
        }
        if name in plain.LOOPS and not asked.no_plain:
            loop = plain.LOOPS[name]
            contenders["plain"] = lambda spec=spec, data=data, loop=loop: loop(spec, data.files, device, asked.steps)  # type: ignore[misc]
        if name == "simclr" and asked.lightly_python:
            contenders["lightly"] = lambda spec=spec, data=data: lightly_rate(  # type: ignore[misc]
                asked.lightly_python, spec, data.files, device, asked.steps
            )
        yield row(configuration, spec, measured(contenders, asked.rounds))


def _data(folder: Path, count: int, side: int, *, files: bool) -> Data:
    """Random images, made once: as a private memory map like the cache's, and as JPEG files."""
    pixels = folder / "images.u8"
    if not pixels.exists():
        folder.mkdir(parents=True)
        made = np.memmap(pixels, np.uint8, "w+", shape=(count, side, side, 3))
        generator = np.random.default_rng(0)
        for number in range(count):
            made[number] = generator.integers(0, 256, (side, side, 3), np.uint8)
        made.flush()
        if files:
            plain.write_jpegs(folder / "files", count, side)
    return Data(np.memmap(pixels, np.uint8, "c", shape=(count, side, side, 3)), folder / "files")


def main() -> None:
    """Measure in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", default="tiny@32,resnet18@32,resnet50@224", help="encoder@image size")
    parser.add_argument("--tasks", help="names separated by commas; all by default")
    parser.add_argument("--images", type=int, default=2048, help="images, or frames of all videos, in the dataset")
    parser.add_argument("--batch-size", type=int, help="by default what the task would take")
    parser.add_argument("--steps", type=int, default=20, help="timed steps")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="more of the spec, as precision=bf16")
    parser.add_argument("--no-plain", action="store_true", help="leave out the loops over files")
    parser.add_argument("--lightly-python", help="interpreter that has LightlySSL")
    asked = parser.parse_args()
    set_up(torch.device(asked.device))
    print("| configuration | task | batch | precision | training | limit | plain | lightly | of the limit | x plain | x lightly |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for configuration in asked.configurations.split(","):
            modality = ENCODERS[configuration.partition("@")[0]].modality
            for line in rows(configuration, asked, task_names(asked.tasks, modality), Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
