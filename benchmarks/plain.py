"""The training loops that one would write without this project, to compare with.

Torchvision's `ImageFolder`, transforms v1 and a `DataLoader` over JPEG files, fp32, the default memory format, an optimizer as it
comes, `loss.item()` in every step. `rotation` is the loop for the task of that name, `two_views` is SimCLR's; Barlow Twins differs
from it in the loss alone, which costs next to nothing, so it is compared with that too. Other tasks have no plain loop here.
"""

import importlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from benchmarks.jobs import synchronize
from ssl_core.augment import MEAN, STD
from ssl_core.encoders import build_encoder
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks.base import SMALL_IMAGE
from ssl_core.vision import torchvision_models

WARM_UP = 2


def write_jpegs(folder: Path, count: int, side: int) -> None:
    """Write `count` JPEG files of two classes, smooth like photographs, so that they take as long to decode."""
    generator = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"class{number % 2}" / f"{number:06}.jpg"
        path.parent.mkdir(exist_ok=True, parents=True)
        coarse = Image.fromarray(generator.integers(0, 256, (side // 8, side // 8, 3), np.uint8))
        noisy = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)) + generator.normal(0, 6, (side, side, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)


def _torchvision(module: str) -> Any:
    torchvision_models()  # makes torchvision importable where its operators cannot be loaded
    return importlib.import_module(f"torchvision.{module}")


def _batches(folder: Path, transform: Any, batch_size: int, device: torch.device) -> Iterator[Any]:
    workers = len(os.sched_getaffinity(0))
    pinned = device.type == "cuda"
    dataset = _torchvision("datasets").ImageFolder(str(folder), transform)
    options: dict[str, Any] = {"num_workers": workers, "persistent_workers": True, "pin_memory": pinned}
    loader = DataLoader(dataset, batch_size, shuffle=True, drop_last=True, **options)
    while True:
        for images, _ in loader:
            yield images


def _crop(spec: ResolvedPretrain) -> Any:
    transforms, size = _torchvision("transforms"), spec.image_size
    crop = transforms.RandomCrop(size, 4) if size <= SMALL_IMAGE else transforms.RandomResizedCrop(size, (0.35, 1))
    return transforms.Compose(
        [crop, transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(MEAN, STD)],
    )


def _views(spec: ResolvedPretrain) -> Callable[[Any], list[Tensor]]:
    transforms, size = _torchvision("transforms"), spec.image_size
    jitter = transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8)
    blur = [transforms.RandomApply([transforms.GaussianBlur(size // 20 * 2 + 1, (0.1, 2.0))], 0.5)] if size > SMALL_IMAGE else []
    view = transforms.Compose(
        [
            transforms.RandomResizedCrop(size, (0.2, 1)),
            transforms.RandomHorizontalFlip(),
            jitter,
            transforms.RandomGrayscale(0.2),
            *blur,
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    return lambda image: [view(image), view(image)]


def _optimizer(module: nn.Module, spec: ResolvedPretrain) -> torch.optim.Optimizer:
    asked = spec.optimizer
    if asked.name == "adamw":
        return torch.optim.AdamW(module.parameters(), asked.learning_rate, weight_decay=asked.weight_decay)
    return torch.optim.SGD(module.parameters(), asked.learning_rate, 0.9, weight_decay=asked.weight_decay, nesterov=True)


def rotation(spec: ResolvedPretrain, folder: Path, device: torch.device, steps: int) -> float:
    """Images/s; each is there four times."""
    encoder = build_encoder(spec.encoder, spec.image_size)
    model = nn.Sequential(encoder, nn.Linear(encoder.features, 4)).to(device)

    def loss(images: Tensor) -> Tensor:
        images = images.to(device)
        turned = torch.cat([torch.rot90(images, turn, (2, 3)) for turn in range(4)])
        return functional.cross_entropy(model(turned), torch.arange(4, device=device).repeat_interleave(len(images)))

    return _rate(model, loss, _batches(folder, _crop(spec), spec.batch_size, device), spec, device, steps)


def two_views(spec: ResolvedPretrain, folder: Path, device: torch.device, steps: int) -> float:
    """Images/s; each is there in two views."""
    encoder = build_encoder(spec.encoder, spec.image_size)
    head = [nn.Linear(encoder.features, encoder.features), nn.ReLU(), nn.Linear(encoder.features, 128)]
    model = nn.Sequential(encoder, *head).to(device)

    def loss(views: list[Tensor]) -> Tensor:
        vectors = functional.normalize(model(torch.cat(views).to(device)))
        similar = (vectors @ vectors.T / 0.5).fill_diagonal_(-1e9)
        count = len(vectors) // 2
        return functional.cross_entropy(similar, torch.arange(2 * count, device=device).roll(count))

    return _rate(model, loss, _batches(folder, _views(spec), spec.batch_size, device), spec, device, steps)


def _rate(
    model: nn.Module,
    loss_of: Callable[[Any], Tensor],
    batches: Iterator[Any],
    spec: ResolvedPretrain,
    device: torch.device,
    steps: int,
) -> float:
    optimizer = _optimizer(model, spec)
    started = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            synchronize(device)
            started = time.perf_counter()
        loss = loss_of(next(batches))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        loss.item()
    synchronize(device)
    return steps * spec.batch_size / (time.perf_counter() - started)


LOOPS: dict[str, Callable[[ResolvedPretrain, Path, torch.device, int], float]] = {
    "rotation": rotation,
    "simclr": two_views,
    "barlow_twins": two_views,
}
"""The plain loop to compare with, by the task's name."""
