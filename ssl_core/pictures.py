"""Pictures of a training: what the network was shown, what it answered, what was right.

N: samples, side by side in a panel; T: frames of a clip; H, W: height and width of each.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

_CELL = 96
"""Smallest height of a sample as it is drawn, in pixels: smaller ones are enlarged without being blurred."""
_MOST_CELL = 224
_GAP, _LINE, _TITLE = 6, 18, 120
_FRAME_MILLISECONDS, _QUALITY = 125, 85
_PAPER, _INK, _RIGHT, _WRONG = (255, 255, 255), (40, 40, 40), (0, 110, 40), (180, 0, 0)


@dataclass(frozen=True)
class Panel:
    """Samples beside each other, under one title."""

    title: str
    """What they are, in a word or two."""
    images: npt.NDArray[np.uint8]
    """uint8 (N, H, W, 3), or (N, T, H, W, 3) if they move."""
    notes: tuple[str, ...] = ()
    """A few characters under each."""
    right: tuple[bool, ...] = ()
    """Whether each note is a right answer, which colours it."""


@dataclass(frozen=True)
class Picture:
    """Panels below each other."""

    panels: tuple[Panel, ...]
    caption: str
    """A sentence for people."""

    @property
    def frames(self) -> int:
        """Frames of the longest panel; 1 if nothing moves."""
        return max(panel.images.shape[1] if panel.images.ndim == 5 else 1 for panel in self.panels)

    @property
    def suffix(self) -> str:
        """How the names of its files end: `.png`, or `.webp` if something moves."""
        return ".png" if self.frames == 1 else ".webp"


def save_picture(picture: Picture, path: Path) -> tuple[int, int]:
    """Draw a picture as a PNG, or as an animated WebP if something moves; the same bytes for the same picture.

    Args:
        picture: what to draw.
        path: of the file, whatever its name ends with.

    Returns:
        Width and height in pixels.
    """
    sheets = [_sheet(picture, frame) for frame in range(picture.frames)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if len(sheets) == 1:
        sheets[0].save(path, "PNG")
    else:
        options = {"duration": _FRAME_MILLISECONDS, "loop": 0, "quality": _QUALITY, "method": 2}
        sheets[0].save(path, "WEBP", save_all=True, append_images=sheets[1:], **options)
    return sheets[0].size


def _sheet(picture: Picture, frame: int) -> Image.Image:
    """The picture at one moment; what moves for a shorter time begins anew."""
    rows = [_row(panel, frame) for panel in picture.panels]
    width = _TITLE + max(row.width for row in rows)
    sheet = Image.new("RGB", (width, _GAP + sum(row.height + _GAP for row in rows)), _PAPER)
    top, pen = _GAP, ImageDraw.Draw(sheet)
    for panel, row in zip(picture.panels, rows, strict=True):
        pen.multiline_text((_GAP, top), panel.title.replace(" ", "\n"), _INK, font())
        sheet.paste(row, (_TITLE, top))
        top += row.height + _GAP
    return sheet


def _row(panel: Panel, frame: int) -> Image.Image:
    images = panel.images if panel.images.ndim == 4 else panel.images[:, frame % panel.images.shape[1]]
    cells = [_fitted(Image.fromarray(np.ascontiguousarray(image))) for image in images]
    height = max(cell.height for cell in cells)
    row = Image.new("RGB", (sum(cell.width + _GAP for cell in cells), height + (_LINE if panel.notes else 0)), _PAPER)
    pen, left = ImageDraw.Draw(row), 0
    for number, cell in enumerate(cells):
        row.paste(cell, (left, 0))
        if panel.notes:
            ink = _INK if not panel.right else _RIGHT if panel.right[number] else _WRONG
            pen.text((left, height + 1), panel.notes[number], ink, font())
        left += cell.width + _GAP
    return row


def _fitted(image: Image.Image) -> Image.Image:
    if image.height < _CELL:
        factor = -(-_CELL // image.height)
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    if image.height > _MOST_CELL:
        return image.resize((image.width * _MOST_CELL // image.height, _MOST_CELL), Image.Resampling.LANCZOS)
    return image


def font(size: int = 13) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """What is written in pictures with, in pixels."""
    return ImageFont.load_default(size)


def grid(images: npt.NDArray[np.uint8], columns: int) -> npt.NDArray[np.uint8]:
    """Join samples to one image.

    Args:
        images: uint8 (N, H, W, 3).
        columns: samples in a row; N is a multiple.

    Returns:
        uint8 (N / columns * H, columns * W, 3).
    """
    count, height, width, _ = images.shape
    rows = images.reshape(count // columns, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    return rows.reshape(count // columns * height, columns * width, 3)
