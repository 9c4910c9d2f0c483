"""The model card: what the encoder is, how it was trained, and code that loads it."""

import json
from typing import Any

_CARD = """---
library_name: torchvision
tags:
- self-supervised-learning
- {task}
- {modality}-feature-extraction
---

# {name}, pretrained by {task}

An encoder that learned from {learned_from} without labels. It turns {one} into {features} numbers, which a small
classifier or a nearest-neighbour search can work with.

| | |
|---|---|
| network | {name}, {stem} stem, {parameters:,} parameters |
| features | {features} |
{sizes}
| pretext task | {task} |
| length | {steps:,} steps of {batch} {samples} ({epochs} epochs) |
| optimizer | {optimizer}, peak learning rate {rate:g}, {precision}, seed {seed} |
| verdict | {verdict} |
| time | {seconds:.0f} s at {speed:,.{digits}f} {samples}/s |
{figures}
Largest relative difference between the features of the trained network and those of the file: {difference:.1g}.

## Load it

```python
{code}
```

`{samples}` have shape ({shape}), `features` (N, {features}).

## Preprocessing

{before}Upright RGB; the shorter side scaled to {size} px (bicubic), the middle {size} x {size} px cropped; {color}values divided by
255, then normalised by mean {mean} and standard deviation {std}.
{conversion}
## Spec

```json
{spec}
```
"""

_LIGHTNESS = """
The encoder has learned to see lightness alone, so each image becomes its CIE L* before the division:

```python
def lightness(levels):  # (N, 3, {size}, {size}), 0 to 255, RGB
    share = levels / 255
    linear = torch.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    y = 0.2126729 * linear[:, 0] + 0.7151522 * linear[:, 1] + 0.0721750 * linear[:, 2]
    root = torch.where(y > (6 / 29) ** 3, y ** (1 / 3), y * (29 / 6) ** 2 / 3 + 4 / 29)
    return (2.55 * (116 * root - 16)).unsqueeze(1).expand(-1, 3, -1, -1)
```
"""

_LOAD = """weights = load_file("encoder.safetensors")
{check}
network.eval()

with torch.no_grad():
{features}"""

_OF_IMAGES = "    features = network(torch.rand(1, 3, {size}, {size}))  # put preprocessed images here"
_OF_CLIPS = "    features = network(torch.rand(1, 3, {frames}, {size}, {size}))  # put preprocessed clips here"
_OF_FRAMES = """    clips = torch.rand(1, 3, {frames}, {size}, {size})  # put preprocessed clips here
    of_frames = network(clips.transpose(1, 2).flatten(0, 1))
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


def loading_code(config: dict[str, Any], family: str) -> str:
    """Python that loads the weights with torchvision and safetensors alone, or with torch for `tiny` ones, next to the file."""
    features = _asked(config)
    if family in {"tiny", "tiny3d"}:
        network = _TINY if family == "tiny" else _TINY3D
        return network + _LOAD.format(check="network.load_state_dict(weights, strict=True)", features=features)
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
    return "\n".join(lines) + "\n" + _LOAD.format(check=check, features=features)


def _asked(config: dict[str, Any]) -> str:
    """The line that asks the network for features."""
    from ssl_core.spec import ENCODERS

    if "clip_frames" not in config:
        template = _OF_IMAGES
    else:
        of_clips = ENCODERS[config["encoder"]["name"]].modality == "video"
        template = _OF_CLIPS if of_clips else _OF_FRAMES
    return template.format(size=config["image_size"], frames=config.get("clip_frames"))


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


def _words(config: dict[str, Any]) -> dict[str, Any]:
    """What is said of images, or of clips."""
    training, size, frames = config["training"], config["image_size"], config.get("clip_frames")
    dataset = training["dataset"]
    if frames is None:
        return {
            "modality": "image",
            "learned_from": f"{dataset['images']:,} images",
            "one": "an RGB image",
            "sizes": f"| image size | {size} x {size} px |",
            "samples": "images",
            "speed": training["images_per_second"],
            "digits": 0,
            "shape": f"N, 3, {size}, {size}",
            "before": "",
        }
    stride = config["frame_stride"]
    every = "each frame of the video" if stride == 1 else f"every {_ORDINALS.get(stride, f'{stride}th')} frame of the video"
    speed = training["clips_per_second"]
    return {
        "modality": "video",
        "learned_from": f"{dataset['images']:,} videos of {dataset['frames'] or 0:,} frames",
        "one": f"a clip of {frames} RGB frames",
        "sizes": f"| clip | {frames} frames of {size} x {size} px, {every} |",
        "samples": "clips",
        "speed": speed,
        "digits": 0 if speed >= 10 else 1,
        "shape": f"N, 3, {frames}, {size}, {size}",
        "before": f"{frames} frames, {every}; each is prepared alike. ",
    }


_ORDINALS = {2: "2nd", 3: "3rd"}


def model_card(config: dict[str, Any]) -> str:
    """The card of a bundle, in Markdown with the front matter that Hugging Face reads."""
    from ssl_core.spec import ENCODERS

    spec, training = config["spec"], config["training"]
    family = ENCODERS[config["encoder"]["name"]].family
    grey = config["preprocessing"]["color"] != "RGB"
    figures = "".join(
        f"| {name} | {training['first'].get(name, value):.4f} at first, {value:.4f} at the end |\n"
        for name, value in training["last"].items()
    )
    return _CARD.format(
        task=config["task"]["name"],
        name=config["encoder"]["name"],
        stem=config["encoder"]["stem"],
        **_words(config),
        features=config["features"],
        parameters=config["parameters"],
        size=config["image_size"],
        steps=training.get("steps") or spec["steps"],
        verdict=(training.get("verdict") or {}).get("sentence", ""),
        batch=spec["batch_size"],
        epochs=spec["epochs"],
        optimizer=spec["optimizer"]["name"],
        rate=spec["optimizer"]["learning_rate"],
        precision=spec["precision"],
        seed=spec["seed"],
        seconds=training["seconds"],
        figures=figures,
        difference=config["export_difference"],
        code=loading_code(config, family),
        color="colours replaced by lightness as below; " if grey else "",
        conversion=_LIGHTNESS.format(size=config["image_size"]) if grey else "",
        mean=config["preprocessing"]["mean"],
        std=config["preprocessing"]["std"],
        spec=json.dumps(spec, indent=1),
    )
