"""Images of any usual kind as upright RGB. Torch-free: the API makes thumbnails with it.

Every way into Pillow goes through `_opened`, with a fixed list of formats, a pixel cap that is checked before anything is decoded,
and no warning that gets away.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 100_000_000
_16_BIT = 65_535.0
_TRANSPOSED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112
_WHITE = (255, 255, 255)

assert not ImageFile.LOAD_TRUNCATED_IMAGES


class ImageError(Exception):
    """Bytes that are no usable image.

    Args:
        code: why, for programs: `empty_file`, `not_an_image`, `unsupported_format`, `truncated`, `too_many_pixels`.
        reason: why, for people.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image that was decoded to its end."""

    format: str
    mode: str
    """Pillow's name of how it is stored: `L`, `P`, `RGBA`, `CMYK`, `I;16`, …"""
    width: int
    """Pixels, right side up."""
    height: int
    """Pixels, right side up."""


def inspect(data: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageFacts:
    """Decode an image to its end, to be sure that it can be, and tell what it is.

    Raises:
        ImageError: it is no usable image.
    """
    with _opened(data, max_pixels) as image:
        kind, mode = image.format or "", image.mode
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION) in _TRANSPOSED
        image.load()
    return ImageFacts(kind, mode, *((height, width) if turned else (width, height)))


def decode_rgb(data: bytes, *, max_pixels: int = MAX_PIXELS, target: int | None = None) -> Image.Image:
    """An image as upright RGB. Of several frames or pages, the first.

    Transparent parts are put on white, as most viewers show them: black would make dark drawings vanish.

    Args:
        data: the file's bytes.
        max_pixels: largest area, in pixels.
        target: a JPEG may come out smaller, by a power of two, as long as its shorter side has this many pixels; much faster.

    Raises:
        ImageError: it is no usable image.
    """
    with _opened(data, max_pixels) as image:
        if target is not None and image.format == "JPEG":
            image.draft("RGB" if image.mode != "L" else "L", _draft_size(image.size, target))
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _to_rgb(upright)


def square(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """The middle of an image: the shorter side scaled to `size` pixels, the longer one cropped.

    Args:
        image: upright RGB.
        size: side of the result, in pixels.

    Returns:
        uint8 (size, size, 3).
    """
    width, height = image.size
    if (width, height) != (size, size):
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side), reducing_gap=3.0)
    return np.asarray(image, np.uint8)


def thumbnail(data: bytes, size: int, format: Literal["webp", "png"]) -> bytes:  # noqa: A002  the usual name
    """A small picture of an image, encoded anew: neither its metadata nor any of its bytes are in it.

    Args:
        data: the file's bytes.
        size: longest side, in pixels.
        format: how to encode it.

    Raises:
        ImageError: it is no usable image.
    """
    image = decode_rgb(data, target=size)
    width, height = image.size
    scale = size / max(width, height)
    # Small images are enlarged pixel by pixel: they would be too small to see, and smoothing would hide what the network gets.
    resampling = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    image = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), resampling)
    buffer = io.BytesIO()
    image.save(buffer, format.upper(), **({"quality": 85} if format == "webp" else {}))
    return buffer.getvalue()


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    if not data:
        raise ImageError("empty_file", "the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_area(image, max_pixels)
                yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Image.DecompressionBombError as error:
        raise ImageError("too_many_pixels", f"far more than {max_pixels:,} pixels") from error
    except Exception as error:  # decoders raise whatever they like on broken files
        raise ImageError("truncated", f"the file is damaged or cut off: {str(error) or type(error).__name__:.200}") from error


def _check_area(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError("too_many_pixels", f"{width} x {height} pixels; at most {max_pixels:,} are taken")


def _unidentified(data: bytes) -> ImageError:
    kinds = ", ".join(FORMATS)
    for magic, name in ((b"%PDF", "PDF"), (b"<svg", "SVG"), (b"8BPS", "Photoshop"), (b"\x00\x00\x00\x0cjP", "JPEG 2000")):
        if data.startswith(magic):
            return ImageError("unsupported_format", f"{name} is not taken; convert it to one of {kinds}")
    if data[4:8] == b"ftyp":
        return ImageError("unsupported_format", f"HEIF, AVIF and videos are not taken; convert it to one of {kinds}")
    if any(data.startswith(magic) for magic in (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\x00", b"MM\x00*")):
        return ImageError("truncated", "the file is damaged or cut off")
    return ImageError("not_an_image", f"not an image of a known format ({kinds})")


def _draft_size(size: tuple[int, int], target: int) -> tuple[int, int]:
    scale = target / min(size)
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bit(image)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        flat = image.convert("RGBA")
        white = Image.new("RGBA", flat.size, (*_WHITE, 255))
        return Image.alpha_composite(white, flat).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Deep grey as 8 bits. White is the first usual maximum (1 for floats, 255, 65535) that nothing exceeds, else the brightest."""
    grey = np.nan_to_num(np.asarray(image, np.float64))
    brightest = float(grey.max(initial=0))
    whites = {"F": (1.0, 255.0, _16_BIT), "I": (255.0, _16_BIT)}.get(image.mode, (_16_BIT,))
    white = next((white for white in whites if brightest <= white), brightest)
    return np.clip(np.rint(grey * (255.0 / white)), 0, 255).astype(np.uint8)
