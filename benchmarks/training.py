"""Training beside the bare network: images/s of the trainer, and of forward and backward on one ready batch of the same shape.

Run it by `python -m benchmarks.training [--encoder resnet18] [--image-size 32] [--batch-size 128] [--steps 40] [--device cpu]`.
"""

import argparse
import io
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.nn import functional

from ssl_core.data import Batches
from ssl_core.encoders import build_encoder
from ssl_core.events import TextEvents
from ssl_core.pretext import build_task
from ssl_core.process import StopRequest
from ssl_core.spec import DatasetFacts, PretrainSpec, ResolvedPretrain, resolve
from ssl_core.trainer import Trainer

_IMAGES = 4096
_WARM_UP = 3


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def bare_rate(spec: ResolvedPretrain, device: torch.device) -> float:
    """Images/s of forward and backward alone: no data, no augmentation, no optimizer, no figures."""
    views = 4 if spec.task.rotations == "all" else 1
    encoder = build_encoder(spec.encoder, spec.image_size).to(device)
    encoder.to(memory_format=torch.channels_last)
    head = torch.nn.Linear(encoder.features, 4).to(device)
    shape = (views * spec.batch_size, 3, spec.image_size, spec.image_size)
    batch = torch.randn(shape, device=device).contiguous(memory_format=torch.channels_last)
    turns = torch.randint(4, (len(batch),), device=device)
    started = 0.0
    for step in range(spec.steps):
        if step == _WARM_UP:
            _synchronize(device)
            started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=spec.precision == "bf16"):
            answers = head(encoder(batch))
        functional.cross_entropy(answers.float(), turns).backward()
        encoder.zero_grad(set_to_none=True)
    _synchronize(device)
    return (spec.steps - _WARM_UP) * spec.batch_size / (time.perf_counter() - started)


def trainer_rate(spec: ResolvedPretrain, device: torch.device) -> float:
    """Images/s of the training as a job runs it, after its first steps."""
    images = np.random.default_rng(0).integers(0, 256, (_IMAGES, spec.image_size, spec.image_size, 3), np.uint8)
    task = build_task(spec, build_encoder(spec.encoder, spec.image_size)).to(device)
    task.to(memory_format=torch.channels_last)
    batches = Batches(images, spec.batch_size, spec.seed, device)
    warm = spec.model_copy(update={"steps": _WARM_UP})
    with tempfile.TemporaryDirectory() as folder:
        for measured in (warm, spec):
            _synchronize(device)
            started = time.perf_counter()
            events = TextEvents(io.StringIO())
            Trainer(task, measured, batches, Path(folder), events, StopRequest(), checkpoint_seconds=1e9).run()
            _synchronize(device)
    return spec.steps * spec.batch_size / (time.perf_counter() - started)


def main() -> None:
    """Measure in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="tiny")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    device = torch.device(asked.device)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    spec = PretrainSpec.model_validate(
        {
            "task": {"name": "rotation"},
            "encoder": {"name": asked.encoder},
            "image_size": asked.image_size,
            "batch_size": asked.batch_size,
            "steps": asked.steps,
        }
    )
    resolved = resolve(spec, DatasetFacts(images=_IMAGES, median_side=asked.image_size)).on_device(asked.device)
    pairs = [(bare_rate(resolved, device), trainer_rate(resolved, device)) for _ in range(asked.repeats)]
    bare, ours = (median(rates) for rates in zip(*pairs, strict=True))
    print(f"{asked.encoder}, {asked.image_size} px, batch {asked.batch_size} x 4 rotations, {resolved.precision}, {device.type}")
    print(f"forward and backward alone  {bare:10,.0f} images/s")
    print(f"training                    {ours:10,.0f} images/s")
    print(f"ratio, pair by pair         {median(ours / bare for bare, ours in pairs):10.2f}")


if __name__ == "__main__":
    main()
