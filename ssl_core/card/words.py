"""What a card says of images, or of clips."""

from dataclasses import dataclass
from typing import Any

_ORDINALS = {2: "2nd", 3: "3rd"}


@dataclass(frozen=True)
class Words:
    """How things are called."""

    modality: str
    """`image` or `video`."""
    one: str
    """What is turned into features."""
    samples: str
    """Several of these."""
    shape: str
    """Of a tensor of them."""
    sizes: str
    """A row of the table about their size."""
    before: str = ""
    """What comes before an image is prepared."""


def words_of(config: dict[str, Any]) -> Words:
    """The words for an encoder, by its configuration."""
    size, frames = config["image_size"], config.get("clip_frames")
    if frames is None:
        return Words("image", "an RGB image", "images", f"N, 3, {size}, {size}", f"| image size | {size} x {size} px |")
    every = _every(config.get("frame_stride") or 1)
    return Words(
        "video",
        f"a clip of {frames} RGB frames",
        "clips",
        f"N, 3, {frames}, {size}, {size}",
        f"| clip | {frames} frames of {size} x {size} px, {every} |",
        f"{frames} frames, {every}; each is prepared alike. ",
    )


def _every(stride: int) -> str:
    return "each frame of the video" if stride == 1 else f"every {_ORDINALS.get(stride, f'{stride}th')} frame of the video"


def plain(text: str) -> str:
    """A text that somebody chose, without what Markdown or HTML would make of it, on one line."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>#|&~$" else character for character in shown)


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{share:.1%}"
