"""Images of any usual kind as upright RGB. Torch-free: the API makes thumbnails with it.

Every way into Pillow goes through `_opened`, with a fixed list of formats, a pixel cap that is checked before anything is decoded,
and no warning that gets away.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageSequence, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 100_000_000
_16_BIT = 65_535.0
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes an EXIF orientation."""
_TRANSPOSED = frozenset({5, 6, 7, 8})
"""Orientations with width and height exchanged."""
_WHITE = (255, 255, 255)
_OTHER_KINDS = (
    (b"%PDF", "a PDF"),
    (b"<svg", "an SVG"),
    (b"8BPS", "a Photoshop file"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\x00\x00\x00\x0cJXL", "a JPEG XL"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"PK\x03\x04", "a zip"),
    (b"\x1f\x8b", "a gzip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
)

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
    """Decode an image to its end, to be sure that `decode_rgb` can, and tell what it is.

    Raises:
        ImageError: it is no usable image.
    """
    with _opened(data, max_pixels) as image:
        # Cameras append a second picture to a JPEG; Pillow calls that MPO.
        kind, mode = "JPEG" if image.format == "MPO" else image.format or "", image.mode
        image.load()
        _to_rgb(image)
        width, height = image.size
        turned = _orientation(image) in _TRANSPOSED
    return ImageFacts(kind, mode, *((height, width) if turned else (width, height)))


def stored_size(data: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height in pixels, in no particular order: from the header alone, which does not say which way is up.

    Raises:
        ImageError: it is no image.
    """
    with _opened(data, max_pixels) as image:
        return image.size


def is_upright(data: bytes) -> bool:
    """Whether an image is stored the way it is to be seen.

    Raises:
        ImageError: it is no image.
    """
    with _opened(data, MAX_PIXELS) as image:
        return _orientation(image) == 1


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
        if target is not None and image.format in {"JPEG", "MPO"}:
            image.draft(None, _draft_size(image.size, target))
        image.load()
        rgb = _to_rgb(image)
        turn = _UPRIGHT.get(_orientation(image))
        upright = rgb.copy() if turn is None else rgb.transpose(turn)
        upright.info = {}  # else a colour profile or a comment would go along into thumbnails
        return upright


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


def decode_square(data: bytes, size: int) -> npt.NDArray[np.uint8]:
    """What an encoder is shown of an image file: uint8 (size, size, 3), its middle as of `square`. There is no other way there.

    Args:
        data: the file's bytes.
        size: side of the result, in pixels.

    Raises:
        ImageError: it is no usable image.
    """
    return square(decode_rgb(data, target=size), size)


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


def moving_thumbnail(data: bytes, size: int) -> bytes:
    """A small animation of another one, as WebP.

    Args:
        data: an animated WebP.
        size: longest side, in pixels.

    Raises:
        ImageError: it is no usable image.
    """
    with _opened(data, MAX_PIXELS) as image:
        duration = image.info.get("duration", 100)
        scale = size / max(image.size)
        shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        frames = [frame.convert("RGB").resize(shape, Image.Resampling.LANCZOS) for frame in ImageSequence.Iterator(image)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=duration, loop=0, quality=70, method=0)
    return buffer.getvalue()


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    if not data:
        raise ImageError("empty_file", "the file is empty")
    try:
        with quiet, Image.open(io.BytesIO(data), formats=FORMATS) as image:
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
    for magic, name in _OTHER_KINDS:
        if data.startswith(magic):
            return ImageError("unsupported_format", f"{name} is not taken; convert its images to one of {kinds}")
    if data[4:8] == b"ftyp":
        return ImageError("unsupported_format", f"HEIF, AVIF and videos are not taken; convert its images to one of {kinds}")
    if any(data.startswith(magic) for magic in (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\x00", b"MM\x00*")):
        return ImageError("truncated", "the file is damaged or cut off")
    what = "plain text, " if _is_text(data[:512]) else ""
    return ImageError("not_an_image", f"{what}not an image of a known format ({kinds})")


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else the head ends within a character
            return False
        text = head[: error.start].decode()
    return all(character.isprintable() or character in "\t\n\r\f\ufeff" for character in text)


def _orientation(image: Image.Image) -> int:
    """How a decoded image was stored, 1 to 8. Broken metadata costs no image: it counts as upright."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  readers of metadata raise whatever they like on broken bytes
        return 1


def _draft_size(size: tuple[int, int], target: int) -> tuple[int, int]:
    shorter = min(size)
    return -(-size[0] * target // shorter), -(-size[1] * target // shorter)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or ("transparency" in image.info and image.mode in {"1", "L", "P", "RGB"}):
        flat = image.convert("RGBA")
        white = Image.new("RGBA", flat.size, (*_WHITE, 255))
        return Image.alpha_composite(white, flat).convert("RGB")
    if image.mode.startswith("I;16"):
        return Image.fromarray(_16_TO_8_BIT[np.asarray(image)]).convert("RGB")
    if image.mode in {"I", "F"}:
        return Image.fromarray(_to_8_bit(image)).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


_16_TO_8_BIT = np.rint(np.arange(65_536) * (255 / _16_BIT)).astype(np.uint8)


def _to_8_bit(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Deep grey as 8 bits. White is the first usual maximum (1 for floats, 255, 65535) that nothing exceeds, else the brightest."""
    grey = np.nan_to_num(np.asarray(image).astype(np.float32), copy=False)
    brightest = float(grey.max(initial=0))
    whites = (1.0, 255.0, _16_BIT) if image.mode == "F" else (255.0, _16_BIT)
    white = next((white for white in whites if brightest <= white), brightest)
    grey *= 255.0 / white
    return np.clip(np.rint(grey, out=grey), 0, 255, out=grey).astype(np.uint8)


class _Quiet:
    """No warnings while any thread is within. `catch_warnings` alone would leave them off when two threads overlap."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._within += 1
            if self._within == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within:
                self._filters.__exit__(None, None, None)


quiet = _Quiet()
"""Keeps warnings in while images are read. All functions here use it; around many images it saves time."""
