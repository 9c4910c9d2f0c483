"""Previews of tasks as small pictures, which show well on pages of any width and either theme.

N: samples, side by side in a panel; T: frames of each, beside each other; H, W: height and width of each.
"""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ssl_core.pictures import Panel, font

_WIDTH = 560
"""Of the whole, in pixels: a row fills it, however many samples it has."""
_GAP, _FRAME_GAP, _BETWEEN = 8, 2, 14
_TITLE, _NOTE, _LEADING = 24, 20, 8
_INK = (118, 118, 118, 255)
"""Read on white and on black alike; the sheet itself is transparent."""
_QUALITY = 85


def drawn(panels: Sequence[Panel]) -> bytes:
    """Lay panels out below each other, each title above its row: a WebP, the same bytes for the same panels."""
    rows = [_row(panel) for panel in panels]
    sheet = Image.new("RGBA", (_WIDTH, sum(row.height for row in rows) + _BETWEEN * (len(rows) - 1)))
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + _BETWEEN
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return buffer.getvalue()


def _row(panel: Panel) -> Image.Image:
    films = panel.images if panel.images.ndim == 5 else panel.images[:, None]
    samples, frames, height, width, _ = films.shape
    room = _WIDTH - _GAP * (samples - 1) - _FRAME_GAP * samples * (frames - 1)
    cell = (room / (samples * frames), room / (samples * frames) * height / width)
    head, foot = _TITLE + _LEADING, (_NOTE + _LEADING if panel.notes else 0)
    row = Image.new("RGBA", (_WIDTH, head + round(cell[1]) + foot))
    pen, left = ImageDraw.Draw(row), 0.0
    pen.text((0, 0), panel.title, _INK, font(_TITLE))
    for number, film in enumerate(films):
        if panel.notes:
            pen.text((left, head + cell[1] + 2), panel.notes[number], _INK, font(_NOTE))
        for frame in film:
            row.paste(_fitted(Image.fromarray(np.ascontiguousarray(frame)), cell), (round(left), head))
            left += cell[0] + _FRAME_GAP
        left += _GAP - _FRAME_GAP
    return row


def _fitted(image: Image.Image, cell: tuple[float, float]) -> Image.Image:
    """Of a cell's size. What is smaller shows its pixels: it is enlarged by a whole number first."""
    factor = -(-round(cell[0]) // image.width)
    if factor > 1:
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    return image.resize((round(cell[0]), round(cell[1])), Image.Resampling.LANCZOS)
