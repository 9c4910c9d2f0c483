"""The bundle: a trained encoder with everything that is needed to use it."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ssl_core.augment import MEAN, STD
from ssl_core.card import model_card
from ssl_core.encoders import Encoder, build_encoder, parameters_of
from ssl_core.spec import DatasetFacts, ResolvedPretrain
from ssl_core.trainer import Trained

WEIGHTS, CONFIG, CARD = "encoder.safetensors", "config.json", "README.md"
_TOLERANCE = 1e-4


class ExportError(Exception):
    """The files do not give the network that was trained."""


def export_bundle(encoder: Encoder, spec: ResolvedPretrain, facts: DatasetFacts, trained: Trained, folder: Path) -> list[str]:
    """Write weights, configuration and model card, and check that what was written is what was trained.

    Returns:
        Names of the files.

    Raises:
        ExportError: the weights, read back, give other features.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: value.detach().float().cpu().contiguous() if value.is_floating_point() else value.cpu()
        for name, value in encoder.weights().items()
    }
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    difference = _difference(encoder, spec, folder / WEIGHTS)
    if not difference <= _TOLERANCE:
        raise ExportError(f"the features of the written weights are off by {difference:.2g}")
    config = _config(encoder, spec, facts, trained, difference)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(model_card(config), encoding="utf-8")
    return [WEIGHTS, CONFIG, CARD]


def _difference(encoder: Encoder, spec: ResolvedPretrain, weights: Path) -> float:
    """Largest difference of a feature, relative to the largest feature, between the encoder and what is loaded from the file."""
    again = build_encoder(spec.encoder, spec.image_size)
    again.network.load_state_dict(load_file(weights), strict=True)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, spec.image_size, spec.image_size, generator=generator)
    device = next(encoder.parameters()).device
    with torch.no_grad():
        trained = encoder.eval()(images.to(device)).float().cpu()
        loaded = again.eval()(images)
    return float((trained - loaded).abs().max() / loaded.abs().max().clamp(min=1e-12))


def _config(encoder: Encoder, spec: ResolvedPretrain, facts: DatasetFacts, trained: Trained, difference: float) -> dict[str, Any]:
    return {
        "encoder": spec.encoder.model_dump(),
        "features": encoder.features,
        "parameters": parameters_of(encoder),
        "image_size": spec.image_size,
        "preprocessing": {
            "color": "RGB",
            "resize_shorter_side": spec.image_size,
            "center_crop": spec.image_size,
            "interpolation": "bicubic",
            "scale": 1 / 255,
            "mean": list(MEAN),
            "std": list(STD),
        },
        "task": spec.task.model_dump(),
        "training": {
            "dataset": facts.model_dump(),
            "first": trained.first,
            "last": trained.last,
            "seconds": round(trained.seconds, 3),
            "images_per_second": round(trained.images_per_second, 1),
        },
        "spec": spec.model_dump(mode="json"),
        "export_difference": difference,
        "versions": {package: version(package) for package in ("torch", "torchvision", "safetensors", "pretext-server")},
    }
