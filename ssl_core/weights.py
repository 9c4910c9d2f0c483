"""Weights that an encoder begins with, instead of random ones."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ssl_core.encoders import Encoder
from ssl_core.errors import UserError
from ssl_core.events import Events

_CLASSIFIERS = ("fc.", "classifier.", "heads.", "head.")
"""How torchvision's classifiers are called, which a checkpoint may have and an encoder has not."""
_COUNTER = "num_batches_tracked"
"""Batch normalisation counts its batches under this name, except in old checkpoints; nothing depends on it."""
_SHOWN = 3


def load_weights(encoder: Encoder, path: Path, events: Events | None = None) -> None:
    """Put weights under torchvision's key names into an encoder. All have to fit; a classifier's are passed over.

    Args:
        encoder: what they are for.
        path: safetensors file.
        events: told what was done.

    Raises:
        UserError: they do not fit, are not finite, or cannot be read. The encoder is as it was.
    """
    found, wanted = _read(path), encoder.weights()
    ignored = sorted(name for name in found.keys() - wanted.keys() if name.startswith(_CLASSIFIERS))
    weights = {name: value for name, value in found.items() if name not in ignored}
    _refuse_misfits(path, weights, wanted)
    infinite = sorted(name for name, value in weights.items() if not torch.isfinite(value.float()).all())
    if infinite:
        raise UserError("weights_not_finite", f"{path.name} has values that are not finite, in {_some(infinite)}")
    encoder.network.load_state_dict({**wanted, **weights})
    if events is not None:
        told = f"; passed over its classifier: {_some(ignored)}" if ignored else ""
        events.emit("log", level="info", message=f"begins with the weights of {path.name}{told}")


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError("weights_unreadable", f"{path} cannot be read as safetensors: {error}") from error


def _refuse_misfits(path: Path, weights: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    missing = [name for name in wanted if name not in weights and not name.endswith(_COUNTER)]
    unexpected = [name for name in weights if name not in wanted]
    other = [
        f"{name} {_shape(value)} instead of {_shape(wanted[name])}"
        for name, value in weights.items()
        if name in wanted and value.shape != wanted[name].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": other}
    told = "; ".join(f"{kind}: {_some(names)}" for kind, names in kinds.items() if names)
    if told:
        raise UserError("weights_do_not_fit", f"the weights in {path.name} are not those of this encoder ({told})")


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "scalar"


def _some(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
