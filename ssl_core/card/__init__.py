"""The model card: what the encoder is, how it was trained, what was found of it, and code that loads it. It needs no torch."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ssl_core.card.evaluations import Evaluated, model_index, sections
from ssl_core.card.files import CURVES
from ssl_core.card.loading import loading_code, onnx_code, program_code, timm_code
from ssl_core.card.words import Words, plain, words_of

__all__ = ["Evaluated", "model_card"]

_LIGHTNESS = """The encoder has learned to see lightness alone, so each image becomes its CIE L* before the division:

```python
def lightness(levels):  # (N, 3, {size}, {size}), 0 to 255, RGB
    share = levels / 255
    linear = torch.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    y = 0.2126729 * linear[:, 0] + 0.7151522 * linear[:, 1] + 0.0721750 * linear[:, 2]
    root = torch.where(y > (6 / 29) ** 3, y ** (1 / 3), y * (29 / 6) ** 2 / 3 + 4 / 29)
    return (2.55 * (116 * root - 16)).unsqueeze(1).expand(-1, 3, -1, -1)
```
"""


def model_card(config: dict[str, Any], evaluations: Sequence[Evaluated] = (), model_id: str | None = None) -> str:
    """The card of a bundle, in Markdown with the front matter that Hugging Face reads.

    Args:
        config: the bundle's configuration; of an encoder that was trained elsewhere it says nothing of the training.
        evaluations: what was found of the encoder, one for each dataset.
        model_id: how a server calls the encoder.
    """
    words = words_of(config)
    parts = [
        _front_matter(config, words, evaluations),
        f"# {_title(config)}\n",
        _introduction(config, words),
        "\n".join(_table(config, words)) + "\n",
        _curves(config),
        _differences(config),
        sections(config, evaluations, model_id),
        "\n".join(_loading(config, words)),
        _preprocessing(config, words),
        _spec(config),
    ]
    return "\n".join(part for part in parts if part)


def _title(config: dict[str, Any]) -> str:
    name = config["encoder"]["name"] + (f" to {config['ends_at']}" if config.get("ends_at") else "")
    return f"{name}, pretrained by {config['task']['name']}" if "task" in config else f"{name}, trained elsewhere"


def _front_matter(config: dict[str, Any], words: Words, evaluations: Sequence[Evaluated]) -> str:
    task = f"- {config['task']['name']}\n" if "task" in config else ""
    index = model_index(_title(config), evaluations)
    tags = f"- self-supervised-learning\n{task}- {words.modality}-feature-extraction\n"
    return f"---\nlibrary_name: torchvision\ntags:\n{tags}{index}---\n"


def _introduction(config: dict[str, Any], words: Words) -> str:
    use = "which a small\nclassifier or a nearest-neighbour search can work with.\n"
    into = f"It turns {words.one} into {config['features']} numbers, {use}"
    if "training" not in config:
        return f"An encoder whose weights were uploaded; how it was trained is not known here. {into}"
    dataset = config["training"]["dataset"]
    learned_from = (
        f"{dataset['images']:,} images"
        if words.modality == "image"
        else f"{dataset['images']:,} videos of {dataset['frames'] or 0:,} frames"
    )
    return f"An encoder that learned from {learned_from} without labels. {into}"


def _table(config: dict[str, Any], words: Words) -> Iterator[str]:
    encoder, source = config["encoder"], config.get("source")
    yield "| | |"
    yield "|---|---|"
    parameters = f", {config['parameters']:,} parameters" if "parameters" in config else ""
    yield f"| network | {encoder['name']}, {encoder['stem']} stem{parameters} |"
    yield f"| features | {config['features']}{_ending(config)} |"
    yield words.sizes
    if source is not None:
        by = f"; the stage was chosen by evaluation `{source['evaluation_id']}`" if source.get("evaluation_id") else ""
        name = f" ({plain(source['name'])})" if source.get("name") else ""
        yield f"| made from | model `{source['model_id']}`{name}{by} |"
    if "training" in config:
        yield from _training(config, words)


def _ending(config: dict[str, Any]) -> str:
    stage = config.get("ends_at")
    return "" if stage is None else f": the mean over the map of `{stage}`; the layers behind it are in the weights, and not needed"


def _training(config: dict[str, Any], words: Words) -> Iterator[str]:
    spec, training, optimizer = config["spec"], config["training"], config["spec"]["optimizer"]
    speed = training[f"{words.samples}_per_second"]
    digits = 0 if words.modality == "image" or speed >= 10 else 1
    yield f"| pretext task | {config['task']['name']} |"
    steps = training.get("steps") or spec["steps"]
    yield f"| length | {steps:,} steps of {spec['batch_size']} {words.samples} ({spec['epochs']} epochs) |"
    rate = f"peak learning rate {optimizer['learning_rate']:g}"
    yield f"| optimizer | {optimizer['name']}, {rate}, {spec['precision']}, seed {spec['seed']} |"
    if training.get("verdict"):
        yield f"| verdict | {training['verdict']['sentence']} |"
    yield f"| time | {training['seconds']:.0f} s at {speed:,.{digits}f} {words.samples}/s |"
    for name, value in training["last"].items():
        yield f"| {name} | {training['first'].get(name, value):.4f} at first, {value:.4f} at the end |"


def _curves(config: dict[str, Any]) -> str:
    shown = len(config.get("training", {}).get("history", {}).get("step", ())) > 1
    return f"![How the training went]({CURVES})\n" if shown else ""


def _differences(config: dict[str, Any]) -> str:
    found = config.get("export_differences", {})
    if not found:
        return ""
    told = "; ".join(f"{difference:.1g} of `{name}`" for name, difference in found.items())
    whose = "the trained network" if "training" in config else "the uploaded network"
    lines = [f"Largest relative difference between the features of {whose} and those of each file: {told}.\n"]
    lines += [f"There is no `{name}`: {plain(reason)}.\n" for name, reason in config.get("not_exported", {}).items()]
    return "\n".join(lines)


def _loading(config: dict[str, Any], words: Words) -> Iterator[str]:
    made = config.get("export_differences", {})
    yield "## Load it\n"
    yield f"```python\n{loading_code(config)}\n```\n"
    yield f"`{words.samples}` have shape ({words.shape}), `features` (N, {config['features']}).\n"
    timm = timm_code(config)
    if timm is not None:
        yield f"### With timm\n\n```python\n{timm}\n```\n"
    if "encoder.onnx" in made:
        yield f"### With ONNX Runtime\n\n```python\n{onnx_code(config, 'encoder.onnx')}\n```\n"
    if "encoder.pt2" in made:
        version = config["versions"]["torch"].partition("+")[0]
        yield f"### With torch alone\n\nBy `torch.export`, written by torch {version} for that version and newer ones:\n"
        yield f"```python\n{program_code(config, 'encoder.pt2')}\n```\n"


def _preprocessing(config: dict[str, Any], words: Words) -> str:
    found = config.get("preprocessing")
    if found is None:
        return ""
    grey, size, mean = found["color"] != "RGB", config["image_size"], found["mean"]
    color = "colours replaced by lightness as below; " if grey else ""
    lines = ["## Preprocessing\n"]
    if "training" not in config:
        lines.append("As it is evaluated here; if it was trained with other values, take those.\n")
    lines.append(
        f"{words.before}Upright RGB; the shorter side scaled to {size} px ({found['interpolation']}), the middle {size} x {size} "
        f"px cropped; {color}values divided by\n255, then normalised by mean {mean} and standard deviation {found['std']}.\n"
    )
    return "\n".join([*lines, *([_LIGHTNESS.format(size=size)] if grey else [])])


def _spec(config: dict[str, Any]) -> str:
    return f"## Spec\n\n```json\n{json.dumps(config['spec'], indent=1)}\n```\n" if "spec" in config else ""
