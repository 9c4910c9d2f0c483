"""Packs the pictures of the documentation as WebP, small enough for a repository."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

OUT = Path(__file__).parent / "images"
MOST_BYTES = 80_000
"""Bound of a picture's file."""


def pack(frames: Sequence[Image.Image], target: Path, *, pause: int = 125) -> None:
    """Write a picture, as good as fits into the bound.

    Args:
        frames: one, or those of a picture that moves.
        target: the file.
        pause: milliseconds between two frames.

    Raises:
        SystemExit: it does not fit at the lowest quality that can be looked at.
    """
    for quality in (90, 80, 70, 60, 45, 30):
        packed = io.BytesIO()
        more = {"save_all": True, "append_images": frames[1:], "duration": pause, "loop": 0} if len(frames) > 1 else {}
        frames[0].save(packed, "WEBP", quality=quality, method=6, **more)
        if packed.tell() < MOST_BYTES:
            break
    else:
        raise SystemExit(f"{target.name} does not fit into {MOST_BYTES:,} bytes")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(packed.getvalue())
    width, height = frames[0].size
    print(f"{target}: {packed.tell():,} bytes, {width} x {height} px, {len(frames)} frames, quality {quality}")
