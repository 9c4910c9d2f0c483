"""What a training costs by encoder and task: arithmetic and memory, counted by torch, written as a table that needs no torch.

    python -m benchmarks.costs

Encoders are run on torch's meta device, which computes nothing; a step of each task is run on the CPU around two encoders and at
two sizes, and its cost is put down as a multiple of the encoder's and a rest by pixel. Memory is what tensors take at the same time
at most, as `torch.cuda.max_memory_allocated` would count it. Both are slopes between two batch sizes, so that what does not grow
with the batch is left out. Takes some ten minutes on two cores.
"""

import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from ssl_core.encoders import build_encoder, parameters_of
from ssl_core.pretext import build_task
from ssl_core.pretext.base import lay_out
from ssl_core.spec import ENCODERS, TASKS, DatasetFacts, PretrainSpec, ResolvedEncoder, ResolvedPretrain, SpecError, resolve
from ssl_core.spec.costs import seen_by

_SIZES = (16, 32, 64, 96, 128, 224)
_FRAMES = 8
_AROUND = {"image": ("tiny", "resnet18"), "video": ("tiny3d", "r3d_18")}
_TABLE = Path(__file__).parent.parent / "ssl_core" / "spec" / "cost_table.py"


class Peak(TorchDispatchMode):
    """Counts the bytes of the tensors that are there, and the most at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self._note(leaf.untyped_storage())
        return out

    def _note(self, storage: Any) -> None:
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known.add(storage)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._free, size)

    def _free(self, size: int) -> None:
        self.now -= size


def slope(step: Callable[[int], None], small: int, large: int) -> tuple[float, float]:
    """FLOPs and bytes of one more sample in the batch."""
    found = []
    for batch in (small, large):
        step(batch)  # what is made once, such as the optimizer's state
        with FlopCounterMode(display=False) as flops:
            step(batch)
        with Peak() as peak:
            step(batch)
        found.append((flops.get_total_flops(), peak.most))
    return ((found[1][0] - found[0][0]) / (large - small), (found[1][1] - found[0][1]) / (large - small))


def encoder_costs(name: str, stem: str, size: int) -> tuple[float, float]:
    """Of a training step of an encoder alone, for an image or a clip of eight frames."""
    of_clips = ENCODERS[name].modality == "video"
    encoder = build_encoder(ResolvedEncoder(name=name, stem=stem), size, clips=of_clips).to("meta")  # type: ignore[arg-type]
    encoder.train()

    def step(batch: int) -> None:
        shape = (batch, 3, _FRAMES, size, size) if of_clips else (batch, 3, size, size)
        encoder(torch.empty(shape, device="meta")).square().mean().backward()
        encoder.zero_grad(set_to_none=True)

    return slope(step, 8, 16)


def spec_of(task: str, encoder: str, size: int, precision: str = "fp32") -> ResolvedPretrain:
    """A spec of eight samples a step."""
    asked: dict[str, Any] = {"task": {"name": task}, "encoder": {"name": encoder}, "image_size": size, "batch_size": 16, "steps": 9}
    facts = DatasetFacts(images=4000, median_side=size)
    if TASKS[task].modality == "video":
        asked |= {"clip_frames": _FRAMES, "frame_stride": 1}
        frames = PretrainSpec.model_validate(asked).task.decode_frames(_FRAMES)
        facts = DatasetFacts(images=4000, median_side=size, kind="video", frames=4000 * frames, lengths=((frames, 4000),))
    return resolve(PretrainSpec.model_validate({**asked, "precision": precision}), facts).on_device("cpu")


def task_costs(spec: ResolvedPretrain) -> tuple[float, float]:
    """Of a training step of a task, for a sample."""
    torch.manual_seed(0)
    clips = spec.clip_frames is not None
    task = build_task(spec, build_encoder(spec.encoder, spec.image_size, clips=clips))
    side = spec.task.decode_size(spec.image_size)
    shape = (side, side, 3) if not clips else (spec.task.decode_frames(_FRAMES), side, side, 3)
    some = np.random.default_rng(0).integers(0, 256, (64, *shape), np.uint8)
    task.prepare(some if not clips else some.reshape(-1, *shape[1:]))
    lay_out(task)
    task.train()
    optimizers = task.optimizers()

    def step(batch: int) -> None:
        images = torch.from_numpy(some[:batch]).movedim(-1, 1)
        with torch.no_grad():
            question = task.ask(images)
        task.training_step(question, optimizers)

    return slope(step, 8, 16)


def parameter_table() -> dict[str, dict[str, int]]:
    """Trainable parameters that each task adds to each encoder that it can be had with."""
    table: dict[str, dict[str, int]] = {}
    for task, about in TASKS.items():
        for encoder, info in ENCODERS.items():
            if about.modality == "image" and info.modality == "video":
                continue
            spec = smallest_spec(task, encoder)
            if spec is not None:
                built = build_task(spec, build_encoder(spec.encoder, spec.image_size, clips=spec.clip_frames is not None))
                table.setdefault(task, {})[encoder] = parameters_of(built) - parameters_of(built.encoder)
        print(task, table[task], file=sys.stderr)
    return table


def smallest_spec(task: str, encoder: str) -> ResolvedPretrain | None:
    """With the smallest usual images that task and encoder take; None if they never go together."""
    for size in (64, 96, 224):
        try:
            return spec_of(task, encoder, size)
        except SpecError:
            continue
    return None


def fitted(rows: list[tuple[float, float]], found: list[float]) -> tuple[float, float]:
    """The two factors, none below zero, that explain what was found best, by share of it."""
    weights = 1 / np.asarray(found)
    matrix, target = np.asarray(rows) * weights[:, None], np.ones(len(found))
    factors = np.linalg.lstsq(matrix, target, rcond=None)[0]
    for place in (0, 1):
        if factors[place] < 0:
            other = 1 - place
            factors = np.zeros(2)
            factors[other] = (matrix[:, other] @ target) / (matrix[:, other] @ matrix[:, other])
    return float(factors[0]), float(factors[1])


def encoder_table() -> dict[str, dict[int, tuple[int, int]]]:
    """Millions of FLOPs, and kilobytes, of a sample by encoder and stem, and by side in pixels."""
    table: dict[str, dict[int, tuple[int, int]]] = {}
    for name, info in ENCODERS.items():
        for stem in ("small", "standard") if info.small_stem else ("standard",):
            smallest = info.min_image_size_small_stem if stem == "small" else info.min_image_size
            patch = info.patch_small_stem if stem == "small" else info.patch
            for size in _SIZES:
                if size < smallest or size % patch or (stem == "small" and size > 128):
                    continue
                flops, bytes_ = encoder_costs(name, stem, size)
                table.setdefault(f"{name}/{stem}", {})[size] = (round(flops / 1e4) / 100, round(bytes_ / 1024))
                print(name, stem, size, f"{flops:.3g} {bytes_:.3g}", file=sys.stderr)
    return table


def task_table(encoders: dict[str, dict[int, tuple[int, int]]]) -> dict[str, tuple[float, ...]]:
    """By task: multiple of the encoder's FLOPs, and more by pixel; the same of bytes."""
    from ssl_core.spec import costs

    costs.ENCODER_COSTS = encoders  # what was counted just now
    table = {}
    for name, about in TASKS.items():
        flops, bytes_, rows = [], [], []
        for encoder in _AROUND[about.modality]:
            for size in (32, 64):
                spec = spec_of(name, encoder, size)
                each = task_costs(spec)
                seen = seen_by(spec)
                rows.append((seen.flops, seen.bytes, float(seen.pixels)))
                flops.append(each[0])
                bytes_.append(each[1])
                print(name, encoder, size, f"{each[0]:.3g} {each[1]:.3g}", file=sys.stderr)
        of_flops = fitted([(row[0], row[2]) for row in rows], flops)
        of_bytes = fitted([(row[1], row[2]) for row in rows], bytes_)
        table[name] = tuple(float(f"{value:.5g}") for value in (*of_flops, *of_bytes))
    return table


def bf16_share() -> float:
    """Bytes of a step in bf16, as a share of those in fp32."""
    shares = []
    for task in ("rotation", "simclr"):
        full, half = (task_costs(spec_of(task, "resnet18", 32, precision))[1] for precision in ("fp32", "bf16"))
        shares.append(half / full)
        print(task, f"bf16 {half / full:.3f}", file=sys.stderr)
    return float(np.mean(shares))


def main() -> None:
    """Count, and write the table."""
    encoders = encoder_table()
    parameters = {}
    for name, info in ENCODERS.items():
        network = build_encoder(ResolvedEncoder(name=name, stem="standard"), 224, clips=info.modality == "video")
        parameters[name] = parameters_of(network)
    tasks = task_table(encoders)
    # At the end: until then the old table is what this script itself works with.
    _TABLE.write_text(written(encoders, parameters, tasks, parameter_table(), bf16_share()), encoding="utf-8")


def written(
    encoders: dict[str, dict[int, tuple[float, int]]],
    parameters: dict[str, int],
    tasks: dict[str, tuple[float, ...]],
    added: dict[str, dict[str, int]],
    bf16: float,
) -> str:
    """The table as a module."""
    parts = [
        '"""What encoders and tasks cost, as `python -m benchmarks.costs` has counted it; not to be edited by hand."""',
        _dictionary("ENCODER_COSTS", "dict[str, dict[int, tuple[float, int]]]", encoders),
        '"""By encoder and stem, and side in pixels: millions of FLOPs and kilobytes of a step, for an image or 8 frames."""',
        _dictionary("PARAMETERS", "dict[str, int]", parameters),
        '"""Trainable parameters of the encoders."""',
        _dictionary("TASK_COSTS", "dict[str, tuple[float, float, float, float]]", tasks),
        '"""By task: multiple of the encoder\'s FLOPs, and more by pixel; the same of bytes."""',
        _dictionary("TASK_PARAMETERS", "dict[str, dict[str, int]]", added),
        '"""Trainable parameters that a task adds to an encoder."""',
        f'BF16_BYTES = {bf16:.2f}\n"""Bytes of a step in bf16, as a share of those in fp32."""',
    ]
    return "\n".join(parts) + "\n"


def _dictionary(name: str, type_: str, entries: dict[str, Any]) -> str:
    lines = [f"    {key!r}: {value!r},".replace("'", '"') for key, value in entries.items()]
    return "\n".join([f"\n{name}: {type_} = {{", *lines, "}"])


if __name__ == "__main__":
    main()
