"""Code on the card that loads an encoder with public packages alone, next to its files."""

from typing import Any

from ssl_core.spec import ENCODERS

_LOAD = """weights = load_file("encoder.safetensors")
{check}
network.eval()
{ending}
with torch.no_grad():
{features}"""

_ENDING = """
# Its features are the mean over what {stage} puts out; what comes after that is not needed.
maps = []
network.get_submodule({stage!r}).register_forward_hook(lambda module, inputs, output: maps.append(output))
"""
_MEANS = {"swin": ".mean((1, 2))", "vit": "[:, 1:].mean(1)"}
_OF_FRAMES = """    of_frames = {asked}
    features = of_frames.unflatten(0, (len(clips), -1)).mean(1)  # the mean over the frames of each"""

_PLAIN = """# Only the classifier is missing: the encoder has none.
missing, unexpected = network.load_state_dict(weights, strict=False)
assert not unexpected and all(name.startswith({classifier!r}) for name in missing), (missing, unexpected)
network.{classifier} = {without}"""

_TINY = """import torch
from safetensors.torch import load_file
from torch import nn


def block(inputs, outputs, stride):
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class TinyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stage1, self.stage2 = block(3, 32, 2), block(32, 64, 2)
        self.stage3, self.stage4 = block(64, 128, 1), block(128, 128, 2)

    def forward(self, images):
        return self.stage4(self.stage3(self.stage2(self.stage1(images)))).mean((2, 3))


network = TinyNet()
"""

_TINY3D = """import torch
from safetensors.torch import load_file
from torch import nn


def block(inputs, outputs, stride):
    convolution = nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(outputs), nn.ReLU(inplace=True))


class TinyNet3d(nn.Module):
    def __init__(self):
        super().__init__()
        self.stage1, self.stage2 = block(3, 16, (1, 2, 2)), block(16, 32, 2)
        self.stage3, self.stage4 = block(32, 64, 1), block(64, 128, 2)

    def forward(self, clips):
        return self.stage4(self.stage3(self.stage2(self.stage1(clips)))).mean((2, 3, 4))


network = TinyNet3d()
"""

_STEMS = {
    "resnet": """# The stem for small images: a 3x3 convolution without stride, and no max-pooling.
network.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
network.maxpool = nn.Identity()
""",
    "mobilenet": "# The stem for small images has no stride.\nnetwork.features[0][0].stride = (1, 1)\n",
    "efficientnet": "# The stem for small images has no stride.\nnetwork.features[0][0].stride = (1, 1)\n",
    "regnet": "# The stem for small images has no stride.\nnetwork.stem[0].stride = (1, 1)\n",
    "convnext": """# The stem for small images has patches of 2 px.
network.features[0][0] = nn.Conv2d(3, network.features[0][0].out_channels, 2, 2)
""",
}
_CLASSIFIERS = {"resnet": "fc", "video_resnet": "fc", "regnet": "fc", "vit": "heads", "swin": "head", "convnext": "classifier.2"}


def loading_code(config: dict[str, Any]) -> str:
    """Python that loads the weights with torchvision and safetensors alone, or with torch for `tiny` ones."""
    family = ENCODERS[config["encoder"]["name"]].family
    asking = _asking(config, family)
    if family in {"tiny", "tiny3d"}:
        network = _TINY if family == "tiny" else _TINY3D
        return network + _LOAD.format(check="network.load_state_dict(weights, strict=True)", **asking)
    classifier = _CLASSIFIERS.get(family, "classifier")
    lines = ["import torch", "import torchvision", "from safetensors.torch import load_file", "from torch import nn", ""]
    lines.append(_construction(config, family))
    if config["encoder"]["stem"] == "small" and family in _STEMS:
        lines.append(_STEMS[family])
    if family in {"alexnet", "vgg"}:
        lines.append("network.avgpool = nn.AdaptiveAvgPool2d(1)")
    if family == "s3d":
        lines.append("network.avgpool = nn.AdaptiveAvgPool3d(1)  # for clips of any size")
    check = _PLAIN.format(classifier=classifier, without="nn.Identity()")
    if family == "convnext":
        check = check.replace("network.classifier.2 =", "network.classifier[2] =")
    return "\n".join(lines) + "\n" + _LOAD.format(check=check, **asking)


def timm_code(config: dict[str, Any]) -> str | None:
    """The same with timm; None if timm does not have the network under the same key names."""
    name = config["encoder"]["name"]
    family = ENCODERS[name].family
    if family not in {"resnet", "vgg"}:
        return None
    lines = ["import timm", "import torch", "from safetensors.torch import load_file", "from torch import nn", ""]
    lines.append(f'network = timm.create_model("{name}", num_classes=0)')
    if config["encoder"]["stem"] == "small":
        lines.append(_STEMS[family])
    if family == "vgg":
        lines.append("network.pre_logits = nn.Identity()  # the convolutions alone")
    check = "network.load_state_dict(weights, strict=True)"
    return "\n".join(lines) + "\n" + _LOAD.format(check=check, **_asking(config, family))


def onnx_code(config: dict[str, Any], file: str) -> str:
    """The same with ONNX Runtime."""
    shape = ", ".join(map(str, _shape(config)))
    what = "images" if "clip_frames" not in config else "clips"
    return (
        f'import numpy as np\nimport onnxruntime\n\nsession = onnxruntime.InferenceSession("{file}")\n'
        f"{what} = np.random.rand({shape}).astype(np.float32)  # put preprocessed {what} here, any number of them\n"
        f'(features,) = session.run(["features"], {{"{what}": {what}}})'
    )


def program_code(config: dict[str, Any], file: str) -> str:
    """The same with torch alone, by the exported program."""
    return (
        f'import torch\n\nnetwork = torch.export.load("{file}").module()\n\n'
        f"with torch.no_grad():\n    features = network({_example(config)}"
    )


def _shape(config: dict[str, Any]) -> tuple[int, ...]:
    frames = (config["clip_frames"],) if "clip_frames" in config else ()
    return (1, 3, *frames, config["image_size"], config["image_size"])


def _example(config: dict[str, Any]) -> str:
    """Something to ask for the features of, to the end of the line."""
    what = "images" if "clip_frames" not in config else "clips"
    return f"torch.rand({', '.join(map(str, _shape(config)))}))  # put preprocessed {what} here, any number of them"


def _asking(config: dict[str, Any], family: str) -> dict[str, str]:
    """How the network is asked for features: what comes before, and the lines that ask."""
    stage, of_clips = config.get("ends_at"), ENCODERS[config["encoder"]["name"]].modality == "video"
    mean = "maps.pop()" + _MEANS.get(family, ".mean((2, 3, 4))" if of_clips else ".mean((2, 3))")
    ending = "" if stage is None else _ENDING.format(stage=stage)
    if "clip_frames" not in config or of_clips:
        asked = f"network({_example(config)}"
        return {"ending": ending, "features": f"    features = {asked}" if stage is None else f"    {asked}\n    features = {mean}"}
    lines = [f"    clips = {_example(config).replace('))  #', ')  #')}"]
    asked = "network(clips.transpose(1, 2).flatten(0, 1))"
    if stage is not None:
        lines.append(f"    {asked}")
    return {"ending": ending, "features": "\n".join([*lines, _OF_FRAMES.format(asked=asked if stage is None else mean)])}


def _construction(config: dict[str, Any], family: str) -> str:
    name, size = config["encoder"]["name"], config["image_size"]
    if family != "vit":
        module = "video." if family in {"video_resnet", "s3d"} else ""
        return f"network = torchvision.models.{module}{name}()"
    patch = 4 if config["encoder"]["stem"] == "small" else 16
    return (
        f"network = torchvision.models.VisionTransformer(\n    image_size={size}, patch_size={patch}, num_layers=12, num_heads=12, "
        "hidden_dim=768, mlp_dim=3072\n)"
    )
