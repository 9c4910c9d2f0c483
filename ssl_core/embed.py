"""Features of images by a bundle.

N: images, S: side, D: features.
"""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from ssl_core.augment import Normalize
from ssl_core.color import lightness
from ssl_core.data import derived_seed
from ssl_core.encoders import Encoder, build_encoder
from ssl_core.export import LIGHTNESS
from ssl_core.spec import ResolvedEncoder
from ssl_core.weights import load_weights


def load_encoder(bundle: Path) -> tuple[Encoder, dict[str, Any]]:
    """The encoder of a bundle, or of the files of an uploaded model, and its configuration.

    Raises:
        UserError: the weights are not those of the encoder that the configuration names.
    """
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    encoder = build_encoder(ResolvedEncoder.model_validate(config["encoder"]), config["image_size"])
    load_weights(encoder, bundle / "encoder.safetensors")
    return encoder, config


def untrained_encoder(config: dict[str, Any]) -> Encoder:
    """The same encoder with the random weights that its training began with."""
    torch.manual_seed(derived_seed(config["spec"]["seed"], "weights", 0))
    return build_encoder(ResolvedEncoder.model_validate(config["encoder"]), config["image_size"])


def shown_as(config: dict[str, Any]) -> Literal["rgb", "lightness"]:
    """What a bundle's encoder was trained to see of an image, by its configuration."""
    return "lightness" if config.get("preprocessing", {}).get("color") == LIGHTNESS else "rgb"


def embed(
    encoder: Encoder, images: npt.NDArray[np.uint8], batch_size: int = 256, *, shown_as: Literal["rgb", "lightness"] = "rgb"
) -> npt.NDArray[np.float32]:
    """Pooled features of images, float32 (N, D), with batch normalisation in evaluation mode.

    Args:
        encoder: on any device.
        images: uint8 (N, S, S, 3).
        batch_size: images at a time.
        shown_as: what the encoder was trained to see of an image; `shown_as(config)` tells it of a bundle.
    """
    device = next(encoder.parameters()).device
    normalize = Normalize().to(device)
    encoder.eval()
    features = []
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(images[start : start + batch_size]).to(device).permute(0, 3, 1, 2)
            levels = lightness(batch) if shown_as == "lightness" else batch
            features.append(encoder(normalize(levels)).float().cpu().numpy())
    return np.concatenate(features) if features else np.empty((0, encoder.features), np.float32)
