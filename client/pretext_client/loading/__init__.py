"""A bundle as a torch module: `model.load()` of a server's, `load("encoder/")` of a folder that was downloaded.

Torch is imported when something is loaded and not before: the client works without it.
"""

import hashlib
import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pretext_client.errors import PretextError

if TYPE_CHECKING:
    from pretext_client.loading.module import Loaded

__all__ = ["CONFIG", "PROGRAM", "WEIGHTS", "CannotLoad", "Loaded", "choose", "load", "needed"]

CONFIG, WEIGHTS, PROGRAM, SUMS = "config.json", "encoder.safetensors", "encoder.pt2", "SHA256SUMS"
VIAS = ("auto", "torchvision", "timm", "pt2")
_OF_FAMILY = {"pt2": PROGRAM}
_TIMM = ("resnet", "wide_resnet", "vgg")
"""How the names of networks begin that timm has under torchvision's key names."""
_ALONE = ("tiny", "tiny3d")
"""Networks that are defined here: they need torch alone."""


class CannotLoad(PretextError):  # noqa: N818  as the others, it says what happened
    """An encoder cannot be loaded here: a package is missing, or its files do not fit together."""


def load(folder: str | os.PathLike[str], *, via: str = "auto", device: str = "cpu") -> "Loaded":
    """Load a downloaded bundle as a torch module in evaluation mode, its weights in fp32.

    >>> network = load("encoder/")
    >>> features = network(network.preprocess("cat.jpg").unsqueeze(0))

    Args:
        folder: with `config.json` and the weights. Files that its `SHA256SUMS` names are compared with that.
        via: what makes the network that the weights go into: `torchvision`, `timm` (ResNets and VGGs), or `pt2`, which runs
            the exported program and needs torch alone, but cannot be trained on, and can run code: only of a server that you trust.
            `auto`: torchvision, else timm, else the program.
        device: where it goes, as torch names it.

    Raises:
        CannotLoad: a package is missing, a file is, or one is not as it was.
    """
    folder = Path(folder)
    config = _config(folder)
    chosen = choose(config, via, {path.name for path in folder.iterdir()})
    _compare(folder, needed(chosen))
    return open_files({name: folder / name for name in needed(chosen)}, chosen, device)


def open_files(files: dict[str, Path], via: str, device: str) -> "Loaded":
    """Load verified files, by their names; `via` is decided."""
    from pretext_client.loading.module import Loaded  # torch

    config = json.loads(files[CONFIG].read_text(encoding="utf-8"))
    return Loaded(config, files[PROGRAM if via == "pt2" else WEIGHTS], via).to(device).eval()


def needed(via: str) -> tuple[str, str]:
    """The files that a way of loading reads."""
    return CONFIG, _OF_FAMILY.get(via, WEIGHTS)


def choose(config: dict[str, Any], via: str, there: set[str]) -> str:
    """How to load an encoder, by what is installed and which files there are.

    Raises:
        CannotLoad: what it takes is missing; the message says what to install.
    """
    if via not in VIAS:
        raise CannotLoad(f"there is no way {via!r} to load an encoder; choose one of {', '.join(VIAS)}")
    if find_spec("torch") is None:
        raise CannotLoad("loading an encoder takes PyTorch: pip install 'pretext-client[torch]'")
    name = str(config.get("encoder", {}).get("name"))
    ways = _ways(name) if via == "auto" else [via]
    lacks = []
    for way in ways:
        missing = _missing(name, way, there)
        if not missing:
            return way
        lacks.append(f"{way}: {missing}")
    raise CannotLoad(f"{name} cannot be loaded here; by {'; by '.join(lacks)}")


def _ways(name: str) -> list[str]:
    return [way for way in VIAS[1:] if way != "timm" or name.startswith(_TIMM)]


def _missing(name: str, way: str, there: set[str]) -> str | None:
    """What is missing for a way of loading."""
    if needed(way)[1] not in there:
        made = " (`pretext export` makes it)" if way == "pt2" else ""
        return f"the model has no {needed(way)[1]}{made}"
    if way == "timm" and not name.startswith(_TIMM):
        return "timm has it under other key names"
    packages = {"torchvision": ["safetensors", *([] if name in _ALONE else ["torchvision"])], "timm": ["safetensors", "timm"]}
    absent = [package for package in packages.get(way, []) if find_spec(package) is None]
    return f"pip install {' '.join(absent)}" if absent else None


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotLoad(f"{folder} is no folder of a model: {CONFIG} cannot be read ({error})") from error
    if not isinstance(config, dict):
        raise CannotLoad(f"{folder / CONFIG} is no configuration of an encoder")
    return config


def _compare(folder: Path, names: tuple[str, ...]) -> None:
    """Compare files with the list of checksums beside them, if there is one."""
    if not (folder / SUMS).is_file():
        return
    lines = (folder / SUMS).read_text("utf-8", "replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in names:
        with (folder / name).open("rb") as file:
            if name in sums and hashlib.file_digest(file, "sha256").hexdigest() != sums[name]:
                raise CannotLoad(f"{folder / name} is not what {SUMS} says; download the model again")


def __getattr__(name: str) -> Any:
    """`Loaded`, which imports torch."""
    if name == "Loaded":
        from pretext_client.loading.module import Loaded

        return Loaded
    raise AttributeError(name)
