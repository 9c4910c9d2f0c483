"""The networks that bundles have weights of, made by torchvision, by timm, or, where neither has them, here."""

import importlib
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import nn

from pretext_client.loading import CannotLoad

CLASSIFIERS = ("fc.", "classifier.", "heads.", "head.")
"""How the key names of classifiers begin, which an encoder has not."""


def build(config: dict[str, Any], via: str) -> nn.Module:
    """The network of a configuration, with random weights.

    Raises:
        CannotLoad: this version knows no such network.
    """
    name, stem = config["encoder"]["name"], config["encoder"]["stem"]
    make = _timm if via == "timm" else next((make for begin, make in _FAMILIES.items() if name.startswith(begin)), None)
    if make is None:
        raise CannotLoad(f"this version of pretext-client does not know the network {name!r}; a newer one may, or via='pt2'")
    network: nn.Module = make(name, stem, int(config["image_size"]))
    return network


def _timm(name: str, stem: str, _size: int) -> Any:
    import timm

    network = timm.create_model(name, num_classes=0)
    if name.startswith("vgg"):
        network.pre_logits = nn.Identity()  # the convolutions alone
    elif stem == "small":
        _small_resnet(network)
    return network


def _resnet(name: str, stem: str, _size: int) -> Any:
    network = _torchvision(name)
    network.fc = nn.Identity()
    if stem == "small":
        _small_resnet(network)
    return network


def _small_resnet(network: Any) -> None:
    network.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    network.maxpool = nn.Identity()


def _convolutions(name: str, _stem: str, _size: int) -> Any:
    """AlexNet and VGG end with their convolutions."""
    network = _torchvision(name)
    network.avgpool, network.classifier = nn.AdaptiveAvgPool2d(1), nn.Identity()
    return network


def _mobile(name: str, stem: str, _size: int) -> Any:
    """MobileNet and EfficientNet; the stem for small images has no stride."""
    network = _torchvision(name)
    network.classifier = nn.Identity()
    if stem == "small":
        network.features[0][0].stride = (1, 1)
    return network


def _regnet(name: str, stem: str, _size: int) -> Any:
    network = _torchvision(name)
    network.fc = nn.Identity()
    if stem == "small":
        network.stem[0].stride = (1, 1)
    return network


def _convnext(name: str, stem: str, _size: int) -> Any:
    """The normalisation before the classifier belongs to the features. The stem for small images has patches of 2 px."""
    network = _torchvision(name)
    network.classifier[2] = nn.Identity()
    if stem == "small":
        network.features[0][0] = nn.Conv2d(3, network.features[0][0].out_channels, 2, 2)
    return network


def _vit(_name: str, stem: str, size: int) -> Any:
    patch = 4 if stem == "small" else 16
    network = torchvision_models().VisionTransformer(
        image_size=size, patch_size=patch, num_layers=12, num_heads=12, hidden_dim=768, mlp_dim=3072
    )
    network.heads = nn.Identity()
    return network


def _swin(name: str, _stem: str, _size: int) -> Any:
    network = _torchvision(name)
    network.head = nn.Identity()
    return network


def _video_resnet(name: str, _stem: str, _size: int) -> Any:
    network = _torchvision(f"video.{name}")
    network.fc = nn.Identity()
    return network


def _s3d(name: str, _stem: str, _size: int) -> Any:
    """Averages over clips of any size, where torchvision's own takes 224 px alone."""
    network = _torchvision(f"video.{name}")
    network.avgpool, network.classifier = nn.AdaptiveAvgPool3d(1), nn.Identity()
    return network


class TinyNet(nn.Module):
    """Four convolutions with batch normalisation: the encoder `tiny`, or of clips, `tiny3d`.

    Args:
        clips: whether it is of clips.
    """

    def __init__(self, *, clips: bool) -> None:
        super().__init__()
        channels = (3, 16, 32, 64, 128) if clips else (3, 32, 64, 128, 128)
        strides: list[Any] = [(1, 2, 2), 2, 1, 2] if clips else [2, 2, 1, 2]
        convolution, norm = (nn.Conv3d, nn.BatchNorm3d) if clips else (nn.Conv2d, nn.BatchNorm2d)
        for number, stride in enumerate(strides):
            layer: Any = convolution(channels[number], channels[number + 1], 3, stride, 1, bias=False)
            block = nn.Sequential(layer, norm(channels[number + 1]), nn.ReLU(inplace=True))
            self.add_module(f"stage{number + 1}", block)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features (B, 128) of (B, 3, S, S), or of clips (B, 3, T, S, S)."""
        for stage in self.children():
            images = stage(images)
        return images.flatten(2).mean(2)


_FAMILIES: dict[str, Callable[[str, str, int], Any]] = {
    "tiny3d": lambda *_: TinyNet(clips=True),
    "tiny": lambda *_: TinyNet(clips=False),
    "resnet": _resnet,
    "wide_resnet": _resnet,
    "alexnet": _convolutions,
    "vgg": _convolutions,
    "mobilenet": _mobile,
    "efficientnet": _mobile,
    "regnet": _regnet,
    "convnext": _convnext,
    "vit": _vit,
    "swin": _swin,
    **dict.fromkeys(("r3d", "mc3", "r2plus1d"), _video_resnet),
    "s3d": _s3d,
}
"""By how the network's name begins; the first that fits."""
OF_CLIPS = ("tiny3d", "r3d", "mc3", "r2plus1d", "s3d")


def _torchvision(path: str) -> Any:
    found: Any = torchvision_models()
    try:
        for name in path.split("."):
            found = getattr(found, name)
    except AttributeError as error:
        raise CannotLoad(f"this version of torchvision has no {path}; a newer one may, or via='pt2'") from error
    return found()


_declared: list[torch.library.Library] = []
"""A library that is garbage-collected takes its operators with it."""


@cache
def torchvision_models() -> ModuleType:
    """The module `torchvision.models`, also where torchvision's operators cannot be loaded.

    Its wheel is made for the CUDA build of torch. Beside a CPU build its import stops at registering shapes for operators that are
    not there. None of these networks uses them, so they are declared, without an implementation, and the import is tried again.
    """
    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    boxes = "Tensor dets, Tensor scores, float iou_threshold"
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}({boxes}) -> Tensor")  # type: ignore[no-untyped-call]
    _declared.append(library)
    return importlib.import_module("torchvision.models")
