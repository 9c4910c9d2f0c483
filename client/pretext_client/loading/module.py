"""The module that a bundle is loaded as.

B: batch, S: image side, T: frames of a clip, D: features.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pretext_client.loading import CannotLoad
from pretext_client.loading.networks import CLASSIFIERS, OF_CLIPS, build
from pretext_client.loading.pictures import Picture, levels

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels: how images are normalised where the configuration does not say it."""
_LIGHTNESS = "CIE L*"


Frames = list[Picture] | tuple[Picture, ...]


class Loaded(nn.Module):
    """An encoder: normalised images (B, 3, S, S) into features (B, D); of clips (B, 3, T, S, S).

    It is an ordinary module: put a head behind it, train it on, move it to a device. In a bundle that ends at a stage, the features
    are the mean over that stage's map.

    Attributes:
        network: torchvision's or timm's own network, without its classifier; or the exported program.
        config: the bundle's configuration.
        features: D.
        image_size: S.
        clip_frames: T; None if it is of images.
    """

    def __init__(self, config: dict[str, Any], file: Path, via: str) -> None:
        super().__init__()
        self.config = config
        self.features = int(config["features"])
        self.image_size = int(config["image_size"])
        self.clip_frames: int | None = config.get("clip_frames")
        self.via = via
        name = config["encoder"]["name"]
        self._by_frame = via != "pt2" and self.clip_frames is not None and not name.startswith(OF_CLIPS)
        self._ends_at: str | None = None if via == "pt2" else config.get("ends_at")
        self._channels_last = name.startswith("swin")
        self.network = _program(file) if via == "pt2" else _weighted(config, file, via)

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, D) of normalised images (B, 3, S, S), or clips (B, 3, T, S, S)."""
        if not self._by_frame:
            return self._features(images)
        frames = self._features(images.transpose(1, 2).flatten(0, 1))
        return frames.view(images.shape[0], images.shape[2], -1).mean(1)

    def _features(self, images: Tensor) -> Tensor:
        if self._ends_at is None:
            features: Tensor = self.network(images)
            return features
        maps: list[Tensor] = []
        hook = self.network.get_submodule(self._ends_at).register_forward_hook(lambda _module, _given, found: maps.append(found))
        try:
            self.network(images)
        finally:
            hook.remove()
        (found,) = maps
        if found.ndim == 3:  # ViT: its first token stands for the whole image
            return found[:, 1:].mean(1)
        return found.mean((1, 2)) if self._channels_last else found.flatten(2).mean(2)

    def preprocess(self, picture: Picture | Frames) -> Tensor:
        """An image as the encoder takes it, float32 (3, S, S); of clips, their frames as (3, T, S, S).

        As the server prepares it: upright, its middle scaled to S pixels, normalised. The result is on the CPU.

        Args:
            picture: a file's path or bytes, or an image of Pillow; of clips, the frames in their order.

        Raises:
            CannotLoad: it is no image.
        """
        if self.clip_frames is not None:
            if not isinstance(picture, list | tuple):
                raise CannotLoad(f"this encoder is of clips: give a list of {self.clip_frames} frames")
            return torch.stack([self._prepared(frame) for frame in picture], 1)
        if isinstance(picture, list | tuple):
            raise CannotLoad("this encoder is of images: give one, or use `embed` for several")
        return self._prepared(picture)

    def embed(self, pictures: Iterable[Picture | Frames], *, batch_size: int = 64) -> Tensor:
        """Features (N, D), on the CPU, of images in their order; without gradients and in evaluation mode."""
        device, was = next((each.device for each in self.parameters()), torch.device("cpu")), self.training
        self.eval()
        found: list[Tensor] = []
        batch: list[Tensor] = []
        try:
            with torch.no_grad():
                for picture in pictures:
                    batch.append(self.preprocess(picture))
                    if len(batch) == batch_size:
                        found.append(self(torch.stack(batch).to(device)).float().cpu())
                        batch = []
                if batch:
                    found.append(self(torch.stack(batch).to(device)).float().cpu())
        finally:
            self.train(was)
        return torch.cat(found) if found else torch.empty(0, self.features)

    def train(self, mode: bool = True) -> "Loaded":
        """As of every module; an exported program has no other mode than that of evaluation."""
        if self.via == "pt2":
            if mode:
                raise CannotLoad("an exported program cannot be trained; load the weights: via='torchvision'")
            return self
        return super().train(mode)

    def _prepared(self, picture: Picture) -> Tensor:
        found = torch.from_numpy(levels(picture, self.image_size)).permute(2, 0, 1).float()
        how = self.config.get("preprocessing", {})
        if how.get("color") == _LIGHTNESS:
            found = _lightness(found)
        mean, std = (torch.tensor(how.get(name, usual)).view(3, 1, 1) for name, usual in (("mean", _MEAN), ("std", _STD)))
        scaled: Tensor = found * how.get("scale", 1 / 255)
        return (scaled - mean) / std


def _weighted(config: dict[str, Any], file: Path, via: str) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = build(config, via)
    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise CannotLoad(f"{file} cannot be read as safetensors: {error}") from error
    wanted = network.state_dict()
    weights = {name: value for name, value in weights.items() if name in wanted or not name.startswith(CLASSIFIERS)}
    for name in wanted:  # old checkpoints do not count batches, and nothing depends on it
        if name.endswith("num_batches_tracked"):
            weights.setdefault(name, wanted[name])
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise CannotLoad(f"the weights are not those of {config['encoder']['name']} by {via}: {error}") from error
    return network


def _program(file: Path) -> nn.Module:
    import torch.export

    program: nn.Module = torch.export.load(file).module()
    return program


def _lightness(found: Tensor) -> Tensor:
    """CIE L* as a grey image of 0 to 255, (3, S, S), of sRGB levels (3, S, S) of 0 to 255."""
    share = found / 255
    linear = torch.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    y = 0.2126729 * linear[0] + 0.7151522 * linear[1] + 0.0721750 * linear[2]
    root = torch.where(y > (6 / 29) ** 3, y ** (1 / 3), y * (29 / 6) ** 2 / 3 + 4 / 29)
    return (2.55 * (116 * root - 16)).unsqueeze(0).expand(3, -1, -1)
