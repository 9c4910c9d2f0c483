"""Features of images or clips by a bundle.

N: images or clips, S: side, T: frames of a clip, D: features.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ssl_core.augment import Normalize
from ssl_core.color import lightness
from ssl_core.data import derived_seed
from ssl_core.encoders import Encoder, build_encoder
from ssl_core.errors import UserError
from ssl_core.export import LIGHTNESS
from ssl_core.spec import ResolvedEncoder
from ssl_core.weights import load_weights

ShownAs = Literal["rgb", "lightness"]
"""What of an image an encoder is shown: everything, or its lightness L* alone in place of red, green and blue."""


def load_encoder(bundle: Path, config: dict[str, Any] | None = None) -> tuple[Encoder, dict[str, Any]]:
    """The encoder of a bundle, or of the files of an uploaded model, and its configuration.

    Args:
        bundle: folder with the weights and their configuration.
        config: another configuration to load the weights by.

    Raises:
        UserError: the weights are not those of the encoder that the configuration names.
    """
    config = config or json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    encoder = _built(config)
    load_weights(encoder, bundle / "encoder.safetensors")
    return encoder, config


def untrained_encoder(config: dict[str, Any]) -> Encoder:
    """The same encoder with the random weights that its training began with."""
    torch.manual_seed(derived_seed(config["spec"]["seed"], "weights", 0))
    return _built(config)


def _built(config: dict[str, Any]) -> Encoder:
    clips = config.get("clip_frames") is not None
    of = ResolvedEncoder.model_validate(config["encoder"])
    return build_encoder(of, config["image_size"], clips=clips, ends_at=config.get("ends_at"))


def shown_as(config: dict[str, Any]) -> ShownAs:
    """What a bundle's encoder was trained to see of an image, by its configuration."""
    return "lightness" if config.get("preprocessing", {}).get("color") == LIGHTNESS else "rgb"


def embed(
    encoder: Encoder, images: npt.NDArray[np.uint8], batch_size: int = 256, *, shown_as: ShownAs = "rgb"
) -> npt.NDArray[np.float32]:
    """Pooled features of images or clips, float32 (N, D), with batch normalisation in evaluation mode.

    Args:
        encoder: on any device.
        images: uint8 (N, S, S, 3), or clips (N, T, S, S, 3) if the encoder is of clips.
        batch_size: images at a time.
        shown_as: what the encoder was trained to see of an image; `shown_as(config)` tells it of a bundle.
    """
    encoder.eval()
    with torch.no_grad():
        features = [encoder(batch).float().cpu().numpy() for batch in inputs(encoder, images, batch_size, shown_as)]
    return np.concatenate(features) if features else np.empty((0, encoder.features), np.float32)


def embed_stages(
    encoder: Encoder, images: npt.NDArray[np.uint8], batch_size: int = 256, *, shown_as: ShownAs = "rgb", grid: int = 1
) -> dict[str, npt.NDArray[np.float32]]:
    """Features of images or clips after each stage, by the stage's name, with batch normalisation in evaluation mode.

    Classic tasks are at their best before the last stage, so a comparison has to look at several.

    Args:
        encoder: on any device.
        images: uint8 (N, S, S, 3), at least one, or clips (N, T, S, S, 3) if the encoder is of clips.
        batch_size: images at a time.
        shown_as: as of `embed`.
        grid: G. Each map of C channels is averaged over G x G parts: 1, the mean over all of it; 2 keeps some of what is where. Of
            clips also over all frames.

    Returns:
        float32 (N, C * G * G) each; of ViT the mean over all tokens but the first.
    """
    encoder.eval()
    features: dict[str, list[npt.NDArray[np.float32]]] = {}
    with torch.no_grad():
        for batch in inputs(encoder, images, batch_size, shown_as):
            for name, maps in encoder.stage_maps(batch).items():
                features.setdefault(name, []).append(pooled(maps, grid).cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in features.items()}


def vectors(
    encoder: Encoder, images: npt.NDArray[np.uint8], batch_size: int, *, stage: str | None, shown_as: ShownAs
) -> npt.NDArray[np.float32]:
    """Features after a stage, as of `embed_stages`, or the encoder's own, as of `embed`: float32 (N, D).

    Args:
        encoder: on any device.
        images: uint8 (N, S, S, 3), at least one, or clips (N, T, S, S, 3) if the encoder is of clips.
        batch_size: images at a time.
        stage: name of the stage; None: the encoder's own features.
        shown_as: as of `embed`.
    """
    if stage is None:
        return embed(encoder, images, batch_size, shown_as=shown_as)
    return embed_stages(encoder, images, batch_size, shown_as=shown_as)[stage]


def unit_length(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Features (N, D) scaled to length 1; those that are all zeros stay so."""
    lengths = np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(features / lengths, np.float32)


def check_stage(encoder: Encoder, stage: str | None) -> None:
    """Refuse a stage that the encoder has not.

    Raises:
        UserError: it has none of this name.
    """
    if stage is not None and stage not in encoder.stage_names:
        known = ", ".join(encoder.stage_names)
        raise UserError("unknown_stage", f"the encoder has no stage {stage!r}; it has {known}. Leave `stage` out for its features")


def pooled(maps: Tensor, grid: int = 1) -> Tensor:
    """Features (B, C * G * G) of a stage's maps (B, C, h, w) or (B, C, t, h, w): means over G x G parts and all frames."""
    still = maps.float() if maps.ndim == 4 else maps.float().mean(2)
    return functional.adaptive_avg_pool2d(still, grid).flatten(1)


def inputs(encoder: Encoder, images: npt.NDArray[np.uint8], batch_size: int, shown_as: ShownAs) -> Iterator[Tensor]:
    """Normalised batches on the encoder's device, each (B, 3, S, S) or (B, 3, T, S, S)."""
    device = next(encoder.parameters()).device
    normalize = Normalize().to(device)
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(images[start : start + batch_size]).to(device).movedim(-1, 1)
        yield normalize(lightness(batch) if shown_as == "lightness" else batch)
