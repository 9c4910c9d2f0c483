"""LightlySSL's SimCLR, as its examples write it, with this project's encoder: prints images/s.

It runs under an interpreter that has `torch`, `torchvision`, `lightly` and `pydantic`: PYTHON -m benchmarks.lightly_simclr FOLDER
--encoder resnet18 --image-size 32 --batch-size 128 --steps 20. `benchmarks.throughput --lightly-python PYTHON` does that.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ssl_core.vision import torchvision_models

torchvision_models()  # lightly imports torchvision, which may not be able to load its operators

from lightly.data import LightlyDataset  # type: ignore[import-not-found]  # noqa: E402  where it runs it is there
from lightly.loss import NTXentLoss  # type: ignore[import-not-found]  # noqa: E402
from lightly.models.modules import SimCLRProjectionHead  # type: ignore[import-not-found]  # noqa: E402
from lightly.transforms import SimCLRTransform  # type: ignore[import-not-found]  # noqa: E402

from ssl_core.encoders import build_encoder  # noqa: E402
from ssl_core.spec import ResolvedEncoder  # noqa: E402

_WARM_UP = 2


def rate(folder: Path, encoder: ResolvedEncoder, image_size: int, batch_size: int, steps: int, device: torch.device) -> float:
    """Images/s; each is there in two views."""
    network = build_encoder(encoder, image_size)
    model = nn.Sequential(network, SimCLRProjectionHead(network.features, network.features, 128)).to(device)
    blur = 0.0 if image_size <= 64 else 0.5
    dataset = LightlyDataset(str(folder), transform=SimCLRTransform(input_size=image_size, gaussian_blur=blur))
    loader = torch.utils.data.DataLoader(
        dataset, batch_size, shuffle=True, drop_last=True, num_workers=len(os.sched_getaffinity(0)), persistent_workers=True
    )
    criterion, optimizer = NTXentLoss(), torch.optim.SGD(model.parameters(), lr=0.06)

    def synchronize() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    step, started = 0, 0.0
    while True:
        for batch in loader:
            if step == _WARM_UP:
                synchronize()
                started = time.perf_counter()
            views: list[Tensor] = batch[0]
            loss: Any = criterion(model(views[0].to(device)), model(views[1].to(device)))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            loss.item()
            step += 1
            if step == _WARM_UP + steps:
                synchronize()
                return steps * batch_size / (time.perf_counter() - started)


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of image files, in any layout")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--stem", default="small")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    device = torch.device(asked.device)
    if device.type == "cpu":
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    encoder = ResolvedEncoder(name=asked.encoder, stem=asked.stem)
    print(rate(asked.folder, encoder, asked.image_size, asked.batch_size, asked.steps, device))


if __name__ == "__main__":
    main()
