"""The encoders by name, as far as they can be described without torch."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ssl_core.spec.base import Spec


@dataclass(frozen=True)
class EncoderInfo:
    """A catalogue entry of one encoder."""

    name: str
    family: str
    features: int
    """Length of the pooled feature vector."""
    parameters: float
    """Number of parameters without the classifier, in millions."""
    summary: str
    small_stem: bool = False
    """Whether the family has a stem that keeps the resolution of small images."""
    min_image_size: int = 32
    """Smallest image side in pixels that the standard stem takes."""
    min_image_size_small_stem: int = 16
    """Smallest image side in pixels that the small-image stem takes."""
    patch: int = 1
    """The image side has to be a multiple of this with the standard stem."""
    patch_small_stem: int = 1
    """The image side has to be a multiple of this with the small-image stem."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """The optimizer that this family trains best with."""
    min_tile: int | None = 8
    """Smallest side in pixels of a part of an image that the standard stem takes alone; None: it takes whole images only."""
    min_tile_small_stem: int | None = 8
    """Smallest side in pixels of a part of an image that the small-image stem takes alone; None: it takes whole images only."""
    modality: Literal["image", "video"] = "image"
    """Whether it looks at images or at clips. One for images may look at the frames of clips, each by itself."""
    min_frames: int = 1
    """Fewest frames of a clip that it takes."""
    stages: tuple[str, ...] = ()
    """Names of the modules whose outputs are its feature maps, from the first to the last. An encoder may end at any of them."""


_CONVNEXT: dict[str, Any] = {"optimizer": "adamw", "min_tile": 32, "min_tile_small_stem": 16}
_VIDEO: dict[str, Any] = {"modality": "video", "min_tile": None, "min_tile_small_stem": None, "min_frames": 2}

_CATALOGUE = (
    EncoderInfo("tiny", "tiny", 128, 0.2, "A few-layer convolutional network for CPUs, trials and tests", min_image_size=8),
    EncoderInfo("resnet18", "resnet", 512, 11.2, "ResNet-18, the default: small, fast, well understood", small_stem=True),
    EncoderInfo("resnet34", "resnet", 512, 21.3, "ResNet-34", small_stem=True),
    EncoderInfo("resnet50", "resnet", 2048, 23.5, "ResNet-50, the yardstick of the field", small_stem=True),
    EncoderInfo("wide_resnet50_2", "resnet", 2048, 66.8, "Wide ResNet-50-2", small_stem=True),
    EncoderInfo(
        "alexnet",
        "alexnet",
        256,
        2.5,
        "AlexNet's convolutions, for comparison with the early papers",
        min_image_size=64,
        min_tile=64,
    ),
    EncoderInfo("vgg11_bn", "vgg", 512, 9.2, "VGG-11 with batch normalisation, convolutions only", min_tile=32),
    EncoderInfo("vgg16_bn", "vgg", 512, 14.7, "VGG-16 with batch normalisation, convolutions only", min_tile=32),
    EncoderInfo("mobilenet_v3_small", "mobilenet", 576, 0.9, "MobileNetV3-Small, for edge devices", small_stem=True),
    EncoderInfo("mobilenet_v3_large", "mobilenet", 960, 3.0, "MobileNetV3-Large, for edge devices", small_stem=True),
    EncoderInfo("efficientnet_b0", "efficientnet", 1280, 4.0, "EfficientNet-B0", small_stem=True),
    EncoderInfo("regnet_y_400mf", "regnet", 440, 3.9, "RegNetY-400MF", small_stem=True),
    EncoderInfo("convnext_tiny", "convnext", 768, 27.8, "ConvNeXt-Tiny", small_stem=True, **_CONVNEXT),
    EncoderInfo("convnext_small", "convnext", 768, 49.5, "ConvNeXt-Small", small_stem=True, **_CONVNEXT),
    EncoderInfo(
        "vit_b_16",
        "vit",
        768,
        85.8,
        "Vision Transformer B/16",
        small_stem=True,
        patch=16,
        patch_small_stem=4,
        optimizer="adamw",
        min_tile=None,
        min_tile_small_stem=None,
    ),
    EncoderInfo("swin_t", "swin", 768, 27.5, "Swin Transformer Tiny", optimizer="adamw"),
    EncoderInfo(
        "tiny3d", "tiny3d", 128, 0.3, "A few-layer 3D convolutional network for CPUs, trials and tests", min_image_size=16, **_VIDEO
    ),
    EncoderInfo("r3d_18", "video_resnet", 512, 33.2, "3D ResNet-18, the default for videos and the field's yardstick", **_VIDEO),
    EncoderInfo(
        "mc3_18", "video_resnet", 512, 11.5, "ResNet-18 with 3D convolutions in its first stages, 2D in the rest", **_VIDEO
    ),
    EncoderInfo("r2plus1d_18", "video_resnet", 512, 31.3, "R(2+1)D-18: 2D convolutions in space, then 1D in time", **_VIDEO),
    EncoderInfo("s3d", "s3d", 1024, 7.9, "S3D: separable 3D Inception, small and exact", **(_VIDEO | {"min_frames": 8})),
)

_LAYERS = ("layer1", "layer2", "layer3", "layer4")
_STAGES_OF_FAMILY = {
    **dict.fromkeys(("tiny", "tiny3d"), ("stage1", "stage2", "stage3", "stage4")),
    **dict.fromkeys(("resnet", "video_resnet"), _LAYERS),
    "alexnet": ("features.2", "features.5", "features.7", "features.9", "features.12"),
    "efficientnet": ("features.2", "features.3", "features.5", "features.7", "features.8"),
    "regnet": tuple(f"trunk_output.block{number}" for number in (1, 2, 3, 4)),
    **dict.fromkeys(("convnext", "swin"), ("features.1", "features.3", "features.5", "features.7")),
    "vit": tuple(f"encoder.layers.encoder_layer_{number}" for number in (2, 5, 8, 11)),
    "s3d": ("features.0", "features.3", "features.6", "features.12", "features.15"),
}
_STAGES = {
    "vgg11_bn": ("features.3", "features.7", "features.14", "features.21", "features.28"),
    "vgg16_bn": ("features.6", "features.13", "features.23", "features.33", "features.43"),
    "mobilenet_v3_small": ("features.1", "features.3", "features.8", "features.12"),
    "mobilenet_v3_large": ("features.3", "features.6", "features.12", "features.16"),
}

ENCODERS: dict[str, EncoderInfo] = {
    info.name: replace(info, stages=_STAGES.get(info.name) or _STAGES_OF_FAMILY[info.family]) for info in _CATALOGUE
}


def _known(name: str) -> str:
    if name not in ENCODERS and name != "auto":
        msg = f"there is no encoder {name!r}; choose one of {', '.join(ENCODERS)}"
        raise ValueError(msg)
    return name


class EncoderSpec(Spec):
    """The network that is trained and handed out."""

    name: Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": ["auto", *ENCODERS]})] = "auto"
    """Torchvision's name of the network, or `tiny`, or `tiny3d`. `GET /v1/encoders` lists them. One for images looks at each frame
    of a clip by itself. `auto`: `resnet18` for images, `r3d_18` for videos."""
    stem: Literal["auto", "small", "standard"] = "auto"
    """The first layers. `small` keeps the resolution of small images (for a ResNet a 3x3 convolution without stride and no
    max-pooling), `standard` is torchvision's own. `auto`: `small` up to 64 px where the family has one."""


class ResolvedEncoder(Spec):
    """An encoder with nothing left to decide."""

    name: str
    """Torchvision's name of the network, or `tiny`."""
    stem: Literal["small", "standard"]
    """The first layers: `small` keeps the resolution of small images, `standard` is torchvision's own."""
