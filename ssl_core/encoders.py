"""Encoders: torchvision's networks without their classifier, under torchvision's own key names, and `tiny`.

B: batch, S: image side, D: features, T: frames of a clip, C, t, h, w: channels, frames, height and width of feature maps.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ssl_core.errors import UserError
from ssl_core.spec import ENCODERS, ResolvedEncoder
from ssl_core.vision import torchvision_models


class Encoder(nn.Module):
    """A network that turns images into feature vectors.

    Args:
        network: gives pooled features (B, D) of normalised images (B, 3, S, S).
        stages: names of the modules in it whose outputs are the stages' feature maps.
        features: D.
        channels_come_last: whether feature maps are (B, H, W, C).
    """

    def __init__(self, network: nn.Module, stages: tuple[str, ...], features: int, *, channels_come_last: bool = False) -> None:
        super().__init__()
        self.network = network
        self.features = features
        self.ends_at: str | None = None
        """The stage whose map, averaged over space and time, is the features; None: they are what the whole network gives."""
        self._stages = stages
        self._channels_come_last = channels_come_last

    def forward(self, images: Tensor) -> Tensor:
        """Pooled features (B, D) of normalised images (B, 3, S, S)."""
        if self.ends_at is not None:
            return self.feature_map(images).flatten(2).mean(2)
        features: Tensor = self.network(images)
        return features

    def end_at(self, stage: str, image_size: int, frames: int) -> None:
        """Have it end at a stage from now on. What comes after that keeps its weights, and is not run.

        Args:
            stage: one of its stages.
            image_size: side of images that it takes, in pixels.
            frames: of clips that it takes, if it is of clips.

        Raises:
            UserError: it has no such stage.
        """
        if stage not in self._stages:
            raise UserError("no_such_stage", f"the encoder has no stage {stage!r}; choose one of {', '.join(self._stages)}")
        self._stages = self._stages[: self._stages.index(stage) + 1]
        self.ends_at = stage
        self.features = self._channels(image_size, frames)

    def _channels(self, image_size: int, _frames: int) -> int:
        return self.map_shape(image_size)[0]

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Its stages, from the first to the last."""
        return self._stages

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """Feature maps after each stage, by the stage's module name, of normalised images (B, 3, S, S).

        Each is (B, C, H, W) for convolutional networks, (B, H, W, C) for Swin, and (B, 1 + tokens, C) for ViT.
        """
        maps: dict[str, Tensor] = {}
        # A network that is traced has to run to its end; what is not needed drops out of the graph.
        last = self.ends_at if not torch.compiler.is_exporting() else None
        with _captured(self.network, self._stages, maps, last):
            self.network(images)
        return maps

    def stage_maps(self, images: Tensor) -> dict[str, Tensor]:
        """What each stage sees where, (B, C, h, w) whatever the family, by the stage's name. ViT's first token is left out."""
        return {name: self._as_map(output) for name, output in self.stages(images).items()}

    def feature_map(self, images: Tensor) -> Tensor:
        """What the last stage sees where, (B, C, h, w), of normalised images (B, 3, S, S)."""
        return self._as_map(self.stages(images)[self._stages[-1]])

    def _as_map(self, output: Tensor) -> Tensor:
        if output.ndim == 4:
            return output.permute(0, 3, 1, 2) if self._channels_come_last else output
        side = math.isqrt(output.shape[1] - 1)  # ViT's first token stands for the whole image
        return output[:, 1:].transpose(1, 2).reshape(output.shape[0], -1, side, side)

    def map_shape(self, image_size: int) -> tuple[int, int]:
        """Channels C and side h = w of the feature map of square images, `image_size` in pixels."""
        was_training = self.training
        self.eval()
        with torch.no_grad():
            device = next(self.parameters()).device
            shape = self.feature_map(torch.zeros(1, 3, image_size, image_size, device=device)).shape
        self.train(was_training)
        return shape[1], shape[2]

    def weights(self) -> dict[str, Tensor]:
        """The weights under torchvision's key names."""
        return self.network.state_dict()


class _Reached(Exception):  # noqa: N818  nothing is wrong
    """The network has come as far as it shall."""


@contextmanager
def _captured(network: nn.Module, names: tuple[str, ...], maps: dict[str, Tensor], last: str | None) -> Iterator[None]:
    """Keep the outputs of these modules while the network runs, and end it behind `last`."""

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            maps[name] = output
            if name == last:
                raise _Reached

        return hook

    hooks = [network.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        yield
    except _Reached:
        pass
    finally:
        for hook in hooks:
            hook.remove()


class VideoEncoder(Encoder):
    """A network that turns clips into feature vectors: normalised (B, 3, T, S, S) into (B, D). Its maps are (B, C, t, h, w)."""

    def _as_map(self, output: Tensor) -> Tensor:
        return output

    def _channels(self, image_size: int, frames: int) -> int:
        return self.clip_map_shape(image_size, frames)[0]

    def clip_map_shape(self, image_size: int, frames: int) -> tuple[int, int, int]:
        """Channels C, frames t and side h = w of the feature map of clips of so many frames, `image_size` in pixels."""
        was_training = self.training
        self.eval()
        with torch.no_grad():
            device = next(self.parameters()).device
            shape = self.feature_map(torch.zeros(1, 3, frames, image_size, image_size, device=device)).shape
        self.train(was_training)
        return shape[1], shape[2], shape[3]


class FrameEncoder(VideoEncoder):
    """An encoder of images that looks at each frame of a clip by itself; a clip's features are the mean over its frames.

    Args:
        encoder: of images.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.network, encoder._stages, encoder.features)  # noqa: SLF001  its own kind
        self.ends_at = encoder.ends_at
        self._of_images = [encoder]  # in a list, so that it is no second module with the same weights

    def forward(self, images: Tensor) -> Tensor:
        """Pooled features (B, D) of normalised clips (B, 3, T, S, S)."""
        features = self._of_images[0].forward(_frames(images))
        return features.view(images.shape[0], images.shape[2], -1).mean(1)

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """Feature maps (B, C, T, h, w) after each stage of normalised clips (B, 3, T, S, S)."""
        maps = self._of_images[0].stage_maps(_frames(images))
        return {name: each.reshape(images.shape[0], -1, *each.shape[1:]).transpose(1, 2) for name, each in maps.items()}


def _frames(clips: Tensor) -> Tensor:
    """(B * T, 3, S, S) of (B, 3, T, S, S)."""
    return clips.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)


class TinyNet3d(nn.Module):
    """Four 3x3x3 convolutions with batch normalisation, 16 to 128 channels, to 1/4 of the frames and 1/8 of the side."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = _convolution3d(3, 16, (1, 2, 2))
        self.stage2 = _convolution3d(16, 32, (2, 2, 2))
        self.stage3 = _convolution3d(32, 64, (1, 1, 1))
        self.stage4 = _convolution3d(64, 128, (2, 2, 2))

    def forward(self, clips: Tensor) -> Tensor:
        """Pooled features (B, 128) of normalised clips (B, 3, T, S, S)."""
        maps: Tensor = self.stage4(self.stage3(self.stage2(self.stage1(clips))))
        return maps.mean((2, 3, 4))


def _convolution3d(inputs: int, outputs: int, stride: tuple[int, int, int]) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm3d(outputs), nn.ReLU(inplace=True))


class TinyNet(nn.Module):
    """Four 3x3 convolutions with batch normalisation, 32 to 128 channels, at an eighth of the image's side at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = _convolution(3, 32, stride=2)
        self.stage2 = _convolution(32, 64, stride=2)
        self.stage3 = _convolution(64, 128, stride=1)
        self.stage4 = _convolution(128, 128, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        """Pooled features (B, 128) of normalised images (B, 3, S, S)."""
        maps: Tensor = self.stage4(self.stage3(self.stage2(self.stage1(images))))
        return maps.mean((2, 3))


def _convolution(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def build_encoder(spec: ResolvedEncoder, image_size: int, *, clips: bool = False, ends_at: str | None = None) -> Encoder:
    """Make an encoder with random weights from torch's default generator.

    Args:
        spec: which one, with which stem.
        image_size: side of the images, in pixels; only ViT's position embedding depends on it.
        clips: whether it is to look at clips. One of images then looks at each frame by itself.
        ends_at: the stage that its features are taken from, instead of its end.

    Raises:
        UserError: it has no such stage.
    """
    info = ENCODERS[spec.name]
    network = _FAMILIES[info.family](spec, image_size)
    of_clips = info.modality == "video"
    encoder = (
        VideoEncoder(network, info.stages, info.features)
        if of_clips
        else Encoder(network, info.stages, info.features, channels_come_last=info.family == "swin")
    )
    if ends_at is not None:
        encoder.end_at(ends_at, image_size, info.min_frames)
    return FrameEncoder(encoder) if clips and not of_clips else encoder


def _tiny(_spec: ResolvedEncoder, _image_size: int) -> Any:
    return TinyNet()


def _torchvision(name: str, **options: Any) -> Any:
    return torchvision_models().get_model(name, weights=None, **options)


def _resnet(spec: ResolvedEncoder, _image_size: int) -> Any:
    """The small stem is a 3x3 convolution without stride, and no max-pooling."""
    network = _torchvision(spec.name)
    network.fc = nn.Identity()
    if spec.stem == "small":
        network.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        network.maxpool = nn.Identity()
    return network


def _alexnet(spec: ResolvedEncoder, _image_size: int) -> Any:
    return _without_classifier(spec.name)


def _vgg(spec: ResolvedEncoder, _image_size: int) -> Any:
    return _without_classifier(spec.name)


def _without_classifier(name: str) -> Any:
    network = _torchvision(name)
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = nn.Identity()
    return network


def _mobilenet(spec: ResolvedEncoder, _image_size: int) -> Any:
    """The small stem has the first convolution without stride."""
    network = _torchvision(spec.name)
    network.classifier = nn.Identity()
    if spec.stem == "small":
        network.features[0][0].stride = (1, 1)
    return network


def _efficientnet(spec: ResolvedEncoder, _image_size: int) -> Any:
    """The small stem has the first convolution without stride."""
    network = _torchvision(spec.name)
    network.classifier = nn.Identity()
    if spec.stem == "small":
        network.features[0][0].stride = (1, 1)
    return network


def _regnet(spec: ResolvedEncoder, _image_size: int) -> Any:
    """The small stem is without stride."""
    network = _torchvision(spec.name)
    network.fc = nn.Identity()
    if spec.stem == "small":
        network.stem[0].stride = (1, 1)
    return network


def _convnext(spec: ResolvedEncoder, _image_size: int) -> Any:
    """The small stem has patches of 2 px instead of 4. The normalisation before the classifier belongs to the features."""
    network = _torchvision(spec.name)
    network.classifier[2] = nn.Identity()
    if spec.stem == "small":
        old = network.features[0][0]
        network.features[0][0] = nn.Conv2d(3, old.out_channels, 2, 2)
        nn.init.trunc_normal_(network.features[0][0].weight, std=0.02)
        nn.init.zeros_(network.features[0][0].bias)
    return network


def _vit(spec: ResolvedEncoder, image_size: int) -> Any:
    """The small stem has patches of 4 px instead of 16."""
    patch = ENCODERS[spec.name].patch_small_stem if spec.stem == "small" else ENCODERS[spec.name].patch
    network = torchvision_models().VisionTransformer(
        image_size=image_size, patch_size=patch, num_layers=12, num_heads=12, hidden_dim=768, mlp_dim=3072
    )
    network.heads = nn.Identity()
    return network


def _swin(spec: ResolvedEncoder, _image_size: int) -> Any:
    network = _torchvision(spec.name)
    network.head = nn.Identity()
    return network


def _tiny3d(_spec: ResolvedEncoder, _image_size: int) -> Any:
    return TinyNet3d()


def _video_resnet(spec: ResolvedEncoder, _image_size: int) -> Any:
    network = _torchvision(spec.name)
    network.fc = nn.Identity()
    return network


def _s3d(spec: ResolvedEncoder, _image_size: int) -> Any:
    """Averages over clips of any size, where torchvision's own takes 224 px alone."""
    network = _torchvision(spec.name)
    network.avgpool = nn.AdaptiveAvgPool3d(1)
    network.classifier = nn.Identity()
    return network


_FAMILIES: dict[str, Callable[[ResolvedEncoder, int], Any]] = {
    "tiny": _tiny,
    "resnet": _resnet,
    "alexnet": _alexnet,
    "vgg": _vgg,
    "mobilenet": _mobilenet,
    "efficientnet": _efficientnet,
    "regnet": _regnet,
    "convnext": _convnext,
    "vit": _vit,
    "swin": _swin,
    "tiny3d": _tiny3d,
    "video_resnet": _video_resnet,
    "s3d": _s3d,
}


def parameters_of(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
