"""Images as a server shows them to an encoder: upright RGB, the middle square, scaled. The same pixels as of `ssl_core.images`."""

import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pretext_client.loading import CannotLoad

Picture = str | os.PathLike[str] | bytes | Image.Image
_SIXTEEN_BITS = 65_535


def levels(picture: Picture, size: int) -> npt.NDArray[np.uint8]:
    """The middle of an image: the shorter side scaled to `size` pixels, the longer one cropped; uint8 (size, size, 3).

    Raises:
        CannotLoad: it is no image.
    """
    image = _upright(picture, size)
    width, height = image.size
    if (width, height) != (size, size):
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side), reducing_gap=3.0)
    return np.array(image, np.uint8)


def _upright(picture: Picture, size: int) -> Image.Image:
    if isinstance(picture, Image.Image):
        return ImageOps.exif_transpose(_rgb(picture, picture))
    try:
        content = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            if image.format in {"JPEG", "MPO"}:  # may come out smaller, by a power of two; much faster, and what the server does
                shorter = min(image.size)
                image.draft(None, (-(-image.size[0] * size // shorter), -(-image.size[1] * size // shorter)))
            image.load()
            return ImageOps.exif_transpose(_rgb(image, image))
    except (OSError, SyntaxError, ValueError) as error:
        told = "these bytes are" if isinstance(picture, bytes) else f"{picture} is"
        raise CannotLoad(f"{told} no image: {error}") from error


def _rgb(image: Image.Image, original: Image.Image) -> Image.Image:
    """RGB, transparent parts on white; it keeps saying which way is up."""
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        flat = image.convert("RGBA")
        rgb = Image.alpha_composite(Image.new("RGBA", flat.size, (255, 255, 255, 255)), flat).convert("RGB")
    elif image.mode.startswith("I;16"):
        rgb = Image.fromarray(np.rint(np.asarray(image) * (255 / _SIXTEEN_BITS)).astype(np.uint8)).convert("RGB")
    elif image.mode in {"I", "F"}:
        rgb = Image.fromarray(_eight_bits(np.asarray(image), image.mode)).convert("RGB")
    else:
        rgb = image if image.mode == "RGB" else image.convert("RGB")
    if rgb is not original:
        rgb.info["exif"] = original.getexif().tobytes()
    return rgb


def _eight_bits(grey: npt.NDArray[np.generic], mode: str) -> npt.NDArray[np.uint8]:
    """Deep grey as 8 bits. White is the first usual maximum that nothing exceeds, else the brightest."""
    found = np.nan_to_num(grey.astype(np.float32))
    brightest = float(found.max(initial=0))
    whites = (1.0, 255.0, float(_SIXTEEN_BITS)) if mode == "F" else (255.0, float(_SIXTEEN_BITS))
    white = next((white for white in whites if brightest <= white), brightest)
    eight: npt.NDArray[np.uint8] = np.clip(np.rint(found * (255.0 / white)), 0, 255).astype(np.uint8)
    return eight
