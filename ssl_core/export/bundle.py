"""Writes the files of a bundle, and its folder's name only once they give what was trained."""

import json
import shutil
from copy import deepcopy
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ssl_core.augment import MEAN, STD
from ssl_core.card import model_card
from ssl_core.card.files import CARD, CONFIG, SUMS, WEIGHTS, sums
from ssl_core.encoders import Encoder, build_encoder, parameters_of
from ssl_core.errors import UserError
from ssl_core.events import Events
from ssl_core.export.curves import save_curves
from ssl_core.export.formats import FILES, Probe, write_formats
from ssl_core.spec import DatasetFacts, ResolvedEncoder, ResolvedPretrain
from ssl_core.spec.export import Format
from ssl_core.trainer import Trained, rate_name

LIGHTNESS = "CIE L*"
"""How a configuration says that the encoder sees the lightness alone."""
_TOLERANCE = 1e-4


class ExportError(Exception):
    """The files do not give the network that was trained."""


def export_bundle(
    encoder: Encoder, spec: ResolvedPretrain, facts: DatasetFacts, trained: Trained, folder: Path, events: Events | None = None
) -> list[str]:
    """Write what a training has made, as of `write_bundle`."""
    return write_bundle(encoder, _config(spec, facts, trained), spec.formats, folder, events)


def write_bundle(
    encoder: Encoder, about: dict[str, Any], formats: list[Format], folder: Path, events: Events | None = None
) -> list[str]:
    """Write an encoder in every format that is asked for, with configuration and model card.

    The folder has its name only once the features of each file were compared with the encoder's. A format that is not possible is
    left out, which is warned of and said on the card.

    Args:
        encoder: on any device, in any precision.
        about: what the configuration is to say of it: `encoder`, `image_size`, `clip_frames` and so on.
        formats: what there is to be beside the weights.
        folder: for the files; what is in it is replaced.
        events: told of what was left out.

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
        _write(encoder, about, formats, partial, events)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        raise UserError("cannot_write", f"the model cannot be written to {folder}: {error}; make room, and start again") from error
    return sorted(path.name for path in folder.iterdir())


def _write(encoder: Encoder, about: dict[str, Any], formats: list[Format], folder: Path, events: Events | None) -> None:
    weights = {
        name: value.detach().float().cpu().contiguous() if value.is_floating_point() else value.cpu()
        for name, value in encoder.weights().items()
    }
    # One entry alone: safetensors writes several in a random order, and the same training would give other bytes.
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    # On the CPU in fp32: a GPU's own rounding would hide what is looked for.
    probe = Probe.of(deepcopy(encoder).cpu().float().eval(), about["image_size"], about.get("clip_frames"))
    again = _read_back(about, folder)
    difference = probe.difference(again)
    if not difference <= _TOLERANCE:
        raise ExportError(f"the features of the written weights are off by {difference:.2g}")
    config = {
        **about,
        "features": encoder.features,
        "parameters": parameters_of(encoder),
        "export_differences": {WEIGHTS: difference},
        "not_exported": {},
        "versions": _versions("torch", "torchvision", "safetensors", "pretext-server", *(["onnx"] if "onnx" in formats else [])),
    }
    for name, found in write_formats(formats, again, probe, folder, _TOLERANCE).items():
        if isinstance(found, float):
            config["export_differences"][FILES[name]] = found
        else:
            config["not_exported"][FILES[name]] = found
            if events is not None:
                message = f"the bundle has no {FILES[name]}: {found}; all its other files are there"
                events.emit("log", level="warning", message=message)
    save_curves(config, folder)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(model_card(config), encoding="utf-8")
    digests = {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    (folder / SUMS).write_text(sums(digests), encoding="utf-8")


def _read_back(about: dict[str, Any], folder: Path) -> Encoder:
    of, clips = ResolvedEncoder.model_validate(about["encoder"]), about.get("clip_frames") is not None
    encoder = build_encoder(of, about["image_size"], clips=clips, ends_at=about.get("ends_at"))
    encoder.network.load_state_dict(load_file(folder / WEIGHTS), strict=True)
    return encoder.eval()


def _versions(*packages: str) -> dict[str, str]:
    return {package: version(package) for package in packages}


def preprocessing(image_size: int, *, color: str = "RGB") -> dict[str, Any]:
    """How an image becomes what the encoder takes."""
    return {
        "color": color,
        "resize_shorter_side": image_size,
        "center_crop": image_size,
        "interpolation": "bicubic",
        "scale": 1 / 255,
        "mean": list(MEAN),
        "std": list(STD),
    }


def _config(spec: ResolvedPretrain, facts: DatasetFacts, trained: Trained) -> dict[str, Any]:
    return {
        "encoder": spec.encoder.model_dump(),
        "image_size": spec.image_size,
        **({} if spec.clip_frames is None else {"clip_frames": spec.clip_frames, "frame_stride": spec.frame_stride}),
        "preprocessing": preprocessing(spec.image_size, color=LIGHTNESS if spec.task.shown_as == "lightness" else "RGB"),
        "task": spec.task.model_dump(),
        "training": {
            "dataset": facts.model_dump(),
            "first": trained.first,
            "last": trained.last,
            "history": trained.history,
            "steps": trained.steps,
            "verdict": None if trained.verdict is None else trained.verdict.told(),
            "measured": trained.measured,
            "seconds": round(trained.seconds, 3),
            rate_name(spec): round(trained.rate, 1),
        },
        "spec": spec.model_dump(mode="json"),
    }
