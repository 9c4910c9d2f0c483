"""The bundle: a trained encoder with everything that is needed to use it."""

import json
import shutil
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ssl_core.augment import MEAN, STD
from ssl_core.card import model_card
from ssl_core.encoders import Encoder, build_encoder, parameters_of
from ssl_core.errors import UserError
from ssl_core.spec import DatasetFacts, ResolvedPretrain
from ssl_core.trainer import Trained, rate_name

LIGHTNESS = "CIE L*"
"""How a configuration says that the encoder sees the lightness alone."""
WEIGHTS, CONFIG, CARD = "encoder.safetensors", "config.json", "README.md"
_TOLERANCE = 1e-4


class ExportError(Exception):
    """The files do not give the network that was trained."""


def export_bundle(encoder: Encoder, spec: ResolvedPretrain, facts: DatasetFacts, trained: Trained, folder: Path) -> list[str]:
    """Write weights, configuration and model card. The folder has its name only once what is in it is what was trained.

    Returns:
        Names of the files.

    Raises:
        ExportError: the weights, read back, give other features.
        UserError: the folder cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.new")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        files = _write(encoder, spec, facts, trained, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        raise UserError("cannot_write", f"the model cannot be written to {folder}: {error}; make room, and start again") from error
    return files


def _write(encoder: Encoder, spec: ResolvedPretrain, facts: DatasetFacts, trained: Trained, folder: Path) -> list[str]:
    weights = {
        name: value.detach().float().cpu().contiguous() if value.is_floating_point() else value.cpu()
        for name, value in encoder.weights().items()
    }
    # One entry alone: safetensors writes several in a random order, and the same training would give other bytes.
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    difference = _difference(encoder, spec, folder / WEIGHTS)
    if not difference <= _TOLERANCE:
        raise ExportError(f"the features of the written weights are off by {difference:.2g}")
    config = _config(encoder, spec, facts, trained, difference)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(model_card(config), encoding="utf-8")
    return [WEIGHTS, CONFIG, CARD]


def _difference(encoder: Encoder, spec: ResolvedPretrain, weights: Path) -> float:
    """Largest difference of a feature, relative to the largest feature, between the encoder and what is loaded from the file.

    Both run on the CPU in fp32: a GPU's own rounding would hide what is looked for.
    """
    again = build_encoder(spec.encoder, spec.image_size, clips=spec.clip_frames is not None)
    again.network.load_state_dict(load_file(weights), strict=True)
    generator = torch.Generator().manual_seed(0)
    frames = () if spec.clip_frames is None else (spec.clip_frames,)
    images = torch.randn(2, 3, *frames, spec.image_size, spec.image_size, generator=generator)
    with torch.no_grad():
        trained = deepcopy(encoder).cpu().float().eval()(images)
        loaded = again.eval()(images)
    return float((trained - loaded).abs().max() / loaded.abs().max().clamp(min=1e-12))


def _config(encoder: Encoder, spec: ResolvedPretrain, facts: DatasetFacts, trained: Trained, difference: float) -> dict[str, Any]:
    return {
        "encoder": spec.encoder.model_dump(),
        "features": encoder.features,
        "parameters": parameters_of(encoder),
        "image_size": spec.image_size,
        **({} if spec.clip_frames is None else {"clip_frames": spec.clip_frames, "frame_stride": spec.frame_stride}),
        "preprocessing": {
            "color": LIGHTNESS if spec.task.shown_as == "lightness" else "RGB",
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
            "steps": trained.steps,
            "verdict": None if trained.verdict is None else trained.verdict.told(),
            "measured": trained.measured,
            "seconds": round(trained.seconds, 3),
            rate_name(spec): round(trained.rate, 1),
        },
        "spec": spec.model_dump(mode="json"),
        "export_difference": difference,
        "versions": {package: version(package) for package in ("torch", "torchvision", "safetensors", "pretext-server")},
    }
