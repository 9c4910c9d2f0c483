"""Videos of the usual kinds as upright RGB frames at even intervals. Torch-free.

Containers are opened by PyAV, animated GIF and WebP by Pillow; which one is found by content, from a fixed list. Frames are
numbered from 0 on an even grid: where the recording's rate varies, each place of the grid shows what was on the screen then.
T: frames, S: side.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from ssl_core.images import ImageError, quiet, square

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

MAX_PIXELS = 36_000_000
"""Of one frame; 8192 x 4320 has 35 million."""
MAX_FRAMES = 2_000_000
"""Of one video; 18 hours at 30 a second."""
HEAD = 64
"""Bytes by which a video is known."""
SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".3gp")
_STILL_BRANDS = (b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"jxl ", b"crx ")
_MOV_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_OTHER_KINDS = (
    (b"\x00\x00\x01\xba", "an MPEG program stream"),
    (b"\x00\x00\x01\xb3", "an MPEG stream"),
    (b"\x30\x26\xb2\x75", "a WMV or ASF video"),
    (b"FLV\x01", "a Flash video"),
    (b"OggS", "an Ogg video"),
    (b"\x47\x40", "an MPEG transport stream"),
)
_WEBP_ANIMATION = 0x02
_NAMES = {"mov": "MP4", "matroska": "Matroska", "avi": "AVI"}
_JITTER_SHARE, _JITTER_SECONDS, _JITTERY_SHARE = 0.2, 0.0025, 0.02
_GIF_SECONDS = 0.1
"""What viewers take where an animation gives a frame no time."""
_PREVIEW_SIDE, _PREVIEW_FRAMES, _PREVIEW_SECONDS = 128, 12, 0.16
_LATE = 0.25
"""Share of a grid step by which a frame may come late and still be shown there."""
_SEEK_BACK = (0.0, 1.0, 10.0, math.inf)
"""Seconds to go back further, if there is no frame at the place that was sought."""
_WHOLE = 0.98
"""Share of the announced frames that a recording has to have to count as whole. Headers are often off by a few."""

Frames = npt.NDArray[np.uint8]


class Source(Protocol):
    """A file, or something like it."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


class Shot(Protocol):
    """A decoded frame."""

    def square(self, size: int) -> Frames:
        """Its middle as uint8 (S, S, 3): the shorter side scaled to S, the longer one cropped."""
        ...

    def small(self, side: int) -> Image.Image:
        """It as a whole, its longer side scaled to `side` pixels."""
        ...


class VideoFacts(NamedTuple):
    """What is known of a video that was decoded to its end."""

    container: str
    """`MP4` (QuickTime too), `Matroska` (WebM too), `AVI`, `GIF` or `WEBP`."""
    codec: str
    """Such as `h264`."""
    width: int
    """Pixels, right side up, of square shape."""
    height: int
    """Pixels, right side up."""
    frames: int
    rate: float
    """Frames a second, the mean."""
    variable: bool
    """Whether the rate varies."""
    cut_off: bool
    """Whether there should have been more of it."""


@dataclass(frozen=True)
class Grid:
    """The even grid of a video's frames."""

    frames: int
    """T."""
    rate: float
    """Frames a second."""
    variable: bool
    """Whether frames are placed by their times, not by their order."""


def load_decoders() -> None:
    """Load FFmpeg's libraries now, which the first video would else do."""
    import av

    av.logging.set_level(av.logging.PANIC)


def kind_of(head: bytes) -> str | None:
    """`mov`, `matroska`, `avi`, `gif` or `webp` by the first bytes of a file, or None if it is none of these.

    A GIF or WebP may still be a still image: `is_animated` tells.
    """
    if head[4:8] in _MOV_ATOMS and not (head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS):
        return "mov"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF") and head[8:16] == b"WEBPVP8X" and head[20:21] and head[20] & _WEBP_ANIMATION:
        return "webp"
    return None


def is_video(content: bytes) -> bool:
    """Whether a file's content moves: a container of videos, or an animation of more than one frame."""
    kind = kind_of(content[:HEAD])
    if kind not in {"gif", "webp"}:
        return kind is not None
    try:
        with quiet, Image.open(io.BytesIO(content), formats=[kind.upper()]) as image:
            return getattr(image, "is_animated", False)  # `n_frames` would look at every frame of a GIF
    except Exception:  # noqa: BLE001  decoders raise whatever they like on broken files; who decodes it will say why
        return False


def inspect_video(
    source: Source | bytes | Path, *, max_pixels: int = MAX_PIXELS, max_frames: int = MAX_FRAMES
) -> tuple[VideoFacts, bytes]:
    """Decode a video to its end, to be sure that `decode_segments` can, and tell what it is.

    Args:
        source: the file, its bytes, or where it lies.
        max_pixels: largest frame.
        max_frames: most frames.

    Returns:
        What it is, and a preview: an animated WebP of a few small frames, encoded anew.

    Raises:
        ImageError: it is no usable video.
    """
    preview = _Preview()
    times: list[float] = []
    with quiet, _opened(source, max_pixels) as reader:
        cut_off = False
        try:
            for time, shot in reader.shots():
                times.append(time)
                if len(times) > max_frames:
                    break
                preview.offer(shot)
        except ImageError:
            raise
        except Exception as error:  # decoders raise whatever they like on broken files
            if len(times) < 2:
                raise _damaged(error) from error
            cut_off = True
        if len(times) > max_frames:
            raise ImageError("too_many_frames", f"it has more than {max_frames:,} frames; cut it into parts")
        if not times:
            raise ImageError("truncated", "none of its frames can be decoded; it is damaged or cut off")
        if len(times) == 1:
            raise ImageError("single_frame", "it has one frame alone, and nothing moves in it; send stills as images")
        rate, variable = _rate(times, reader.rate)
        cut_off |= len(times) < _WHOLE * reader.announced - 1
        width, height = reader.size
        facts = VideoFacts(reader.container, reader.codec, width, height, len(times), rate, variable, cut_off)
    return facts, preview.encoded()


def size_of(source: Source | bytes | Path) -> tuple[int, int]:
    """Width and height in pixels, right side up, by the first frame.

    Raises:
        ImageError: it is no usable video.
    """
    with quiet, _opened(source, MAX_PIXELS) as reader:
        return reader.size


def decode_segments(source: Source | bytes, grid: Grid, segments: Sequence[tuple[int, int]], size: int, into: Frames) -> None:
    """Decode pieces of a video, seeking to each: what lies between them is passed over as far as the video's key frames allow.

    Args:
        source: the file.
        grid: its frames, as `inspect_video` has found them.
        segments: first frame and number of frames of each piece, in order.
        size: S: the shorter side is scaled to it, the longer one cropped.
        into: uint8 (total frames of the pieces, S, S, 3), written in order.

    Raises:
        ImageError: it cannot be decoded.
    """
    place = 0
    with quiet, _opened(source, MAX_PIXELS) as reader:
        for first, count in segments:
            _decode_segment(reader, grid, first, size, into[place : place + count])
            place += count


def _decode_segment(reader: "_Reader", grid: Grid, first: int, size: int, into: Frames) -> None:
    """Fill one piece. Each place of the grid shows the last frame that has begun by then, and the first ones what comes first."""
    by_time = reader.has_times and (first > 0 or grid.variable)
    done, count = 0, len(into)
    shown: Shot | None = None
    try:
        for number, (time, shot) in enumerate(reader.shots(first / grid.rate if by_time else 0)):
            begins = min(count, (math.ceil(time * grid.rate - _LATE) if by_time else number) - first)
            if shown is not None and begins > done:
                into[done:begins] = shown.square(size)
                done = begins
            if begins == count:
                break
            shown = shot
    except ImageError:
        raise
    except Exception as error:  # decoders raise whatever they like on broken files
        if shown is None:
            raise _damaged(error) from error
    if shown is None:
        raise ImageError("truncated", f"its frames from {first:,} on cannot be decoded any more")
    if done < count:
        into[done:] = shown.square(size)


class _Reader(Protocol):
    """An open video."""

    container: str
    codec: str
    rate: float
    """Frames a second that the header says; 0 if it does not."""
    announced: int
    """Frames that the header says; 0 if it does not."""
    size: tuple[int, int]
    """Width and height, right side up, of square pixels."""
    has_times: bool
    """Whether frames have times, so that one can be sought."""

    def shots(self, since: float = 0) -> Iterator[tuple[float, Shot]]:
        """Frames with their times, in seconds from the first. The first one is not after `since`, if any is."""
        ...


@contextmanager
def _opened(source: Source | bytes | Path, max_pixels: int) -> Iterator[_Reader]:
    head = _head_of(source)
    if not head:
        raise ImageError("empty_file", "the file is empty")
    kind = kind_of(head)
    if kind is None:
        raise _unknown(head)
    readable = io.BytesIO(source) if isinstance(source, bytes) else source
    if kind in {"gif", "webp"}:
        with _animation(readable, kind, max_pixels) as animation:
            yield animation
        return
    with _recording(readable, kind, max_pixels) as recording:
        yield recording


def _head_of(source: Source | bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD]
    if isinstance(source, Path):
        with source.open("rb") as file:
            return file.read(HEAD)
    head = source.read(HEAD)
    source.seek(0)
    return head


def _unknown(head: bytes) -> ImageError:
    for magic, name in _OTHER_KINDS:
        if head.startswith(magic):
            return ImageError("unsupported_format", f"{name} is not taken; convert it to MP4, WebM, MKV, MOV or AVI")
    return ImageError("not_a_video", "not a video of a known format (MP4, MOV, WebM, MKV, AVI, animated GIF or WebP)")


def _damaged(error: Exception) -> ImageError:
    return ImageError("truncated", f"the file is damaged or cut off: {str(error) or type(error).__name__:.200}")


@contextmanager
def _recording(source: Source | Path, kind: str, max_pixels: int) -> "Iterator[_Recording]":
    import av

    load_decoders()
    try:
        # A format that is named keeps FFmpeg from guessing, and its playlists and scripts out.
        path = str(source) if isinstance(source, Path) else source
        container = av.open(path, "r", format=kind, metadata_errors="replace")
    except Exception as error:
        raise ImageError("truncated", f"its header cannot be read; it is damaged or cut off ({_told(error)})") from error
    with container:
        try:
            recording = _Recording(container, kind, max_pixels)
        except ImageError:
            raise
        except Exception as error:
            raise _damaged(error) from error
        yield recording


def _told(error: BaseException) -> str:
    return f"{getattr(error, 'strerror', None) or str(error) or type(error).__name__:.200}"


class _Recording:
    """A video in a container."""

    def __init__(self, container: "InputContainer", kind: str, max_pixels: int) -> None:
        from av.stream import Disposition

        if not len(container.streams):
            raise ImageError("truncated", "its header says of nothing in it; it is damaged or cut off")
        streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
        moving = [stream for stream in streams if stream.codec_context is not None]
        if streams and not moving:
            raise ImageError("unsupported_format", "its codec is not known; convert it to H.264, for example")
        if not moving:
            what = "sound alone" if container.streams.audio else "no pictures"
            raise ImageError("no_video", f"it has {what}: there is no video in it")
        self._container = container
        self._stream = max(moving, key=lambda stream: (stream.width or 0) * (stream.height or 0))
        self._max_pixels = max_pixels
        _check_area(self._stream.width, self._stream.height, max_pixels)
        self._stream.codec_context.thread_count = 1  # videos are decoded side by side instead
        self.container = _NAMES[kind]
        self.codec = self._stream.codec_context.name
        self.rate = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        self.announced = self._stream.frames or self._expected_frames()
        self._first = self._first_frame()
        shape = _Shape(self._first)
        self.size = shape.upright
        self.has_times = self._first.pts is not None

    def _expected_frames(self) -> int:
        """By the length that the header says; 0 if that may be the sound's."""
        length = self._container.duration
        return round(length / 1_000_000 * self.rate) if length and len(self._container.streams) == 1 else 0

    def _first_frame(self) -> "VideoFrame":
        try:
            for frame in self._container.decode(self._stream):
                return frame
        except Exception as error:
            raise ImageError(
                "truncated", f"its first frame cannot be decoded; it is damaged or cut off ({_told(error)})"
            ) from error
        raise ImageError("truncated", "none of its frames can be decoded; it is damaged or cut off")

    def shots(self, since: float = 0) -> Iterator[tuple[float, Shot]]:
        # Containers seek by the time of decoding, which is before that of showing: the frame may be later than what was sought.
        for back in _SEEK_BACK:
            frames = self._from(since - back)
            first = next(frames, None)
            if first is not None and (first[0] <= since or since - back <= 0):
                yield first
                yield from frames
                return

    def _from(self, since: float) -> Iterator[tuple[float, Shot]]:
        """Frames from the key frame before a time, about."""
        base = self._stream.time_base or Fraction(1, 1000)
        zero = self._first.pts or 0
        self._container.seek(zero + int(max(0.0, since) / base), stream=self._stream, backward=True)
        time, step = 0.0, 1 / (self.rate or 25)
        for number, frame in enumerate(self._container.decode(self._stream)):
            _check_area(frame.width, frame.height, self._max_pixels)
            time = float((frame.pts - zero) * base) if frame.pts is not None else time + step if number else 0.0
            yield time, _Shape(frame)


def _check_area(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError("too_many_pixels", f"its frames have {width} x {height} pixels; at most {max_pixels:,} are taken")


class _Shape:
    """A frame of a recording, which may lie on its side and have pixels that are not square."""

    def __init__(self, frame: "VideoFrame") -> None:
        self._frame = frame
        self._turns = round(frame.rotation / 90) % 4  # counter-clockwise

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height on the screen."""
        width, height = self._flat
        return (height, width) if self._turns % 2 else (width, height)

    @property
    def _flat(self) -> tuple[int, int]:
        """Width and height before it is turned, of square pixels."""
        aspect = self._frame_aspect()
        return max(1, round(self._frame.width * aspect)), self._frame.height

    def _frame_aspect(self) -> float:
        aspect = getattr(self._frame, "sample_aspect_ratio", None)
        return float(aspect) if aspect else 1.0

    def square(self, size: int) -> Frames:
        width, height = self._flat
        scale = size / min(width, height)
        frame = self._scaled(max(size, round(width * scale)), max(size, round(height * scale)))
        top, left = (frame.shape[0] - size) // 2, (frame.shape[1] - size) // 2
        return np.ascontiguousarray(np.rot90(frame[top : top + size, left : left + size], self._turns))

    def small(self, side: int) -> Image.Image:
        width, height = self._flat
        scale = side / max(width, height)
        frame = self._scaled(max(1, round(width * scale)), max(1, round(height * scale)))
        return Image.fromarray(np.ascontiguousarray(np.rot90(frame, self._turns)))

    def _scaled(self, width: int, height: int) -> Frames:
        from av.video.reformatter import Interpolation

        scaled = self._frame.to_ndarray(width=width, height=height, format="rgb24", interpolation=Interpolation.BICUBIC)
        return scaled.astype(np.uint8, copy=False)


@contextmanager
def _animation(source: Source | Path, kind: str, max_pixels: int) -> "Iterator[_Animation]":
    try:
        with Image.open(source, formats=[kind.upper()]) as image:  # type: ignore[arg-type]  # it reads, seeks and tells
            yield _Animation(image, kind, max_pixels)
    except ImageError:
        raise
    except Exception as error:
        raise _damaged(error) from error


class _Animation:
    """An animated GIF or WebP."""

    has_times = True

    def __init__(self, image: Image.Image, kind: str, max_pixels: int) -> None:
        _check_area(*image.size, max_pixels)
        self._image = image
        self.container, self.codec = kind.upper(), kind
        self.rate, self.announced = 0.0, int(getattr(image, "n_frames", 1))
        self.size = image.size

    def shots(self, since: float = 0) -> Iterator[tuple[float, Shot]]:  # noqa: ARG002  they are composed one upon another
        time = 0.0
        for number in range(self.announced):
            self._image.seek(number)
            yield time, _Drawn(_on_white(self._image))
            time += float(self._image.info.get("duration", 0)) / 1000 or _GIF_SECONDS


def _on_white(image: Image.Image) -> Image.Image:
    flat = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", flat.size, (255, 255, 255, 255)), flat).convert("RGB")


class _Drawn:
    """A frame of an animation."""

    def __init__(self, image: Image.Image) -> None:
        self._image = image

    def square(self, size: int) -> Frames:
        return square(self._image, size)

    def small(self, side: int) -> Image.Image:
        scale = side / max(self._image.size)
        width, height = self._image.size
        return self._image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS)


def _rate(times: list[float], announced: float) -> tuple[float, bool]:
    """Frames a second, the mean; and whether the time between frames varies, by more than a container's rounding."""
    steps = np.diff(np.asarray(times))
    if (steps <= 0).mean() > _JITTERY_SHARE or times[-1] <= times[0]:
        return announced or 1 / _GIF_SECONDS, False  # times that cannot be right: the order alone counts
    usual = float(np.median(steps))
    off = np.abs(steps - usual) > max(_JITTER_SHARE * usual, _JITTER_SECONDS)
    return len(steps) / (times[-1] - times[0]), bool(off.mean() > _JITTERY_SHARE)


class _Preview:
    """Keeps a few frames, evenly spread, of a video whose length is not known beforehand."""

    def __init__(self) -> None:
        self._kept: list[Image.Image] = []
        self._every = 1
        self._seen = 0

    def offer(self, shot: Shot) -> None:
        """Take the next frame, or let it go."""
        if self._seen % self._every == 0:
            if len(self._kept) == 2 * _PREVIEW_FRAMES:
                self._kept = self._kept[::2]
                self._every *= 2
            if self._seen % self._every == 0:
                self._kept.append(shot.small(_PREVIEW_SIDE))
        self._seen += 1

    def encoded(self) -> bytes:
        """An animated WebP."""
        chosen = np.linspace(0, len(self._kept) - 1, min(_PREVIEW_FRAMES, len(self._kept))).astype(int)
        first, *others = (self._kept[number] for number in chosen)
        others = [image.resize(first.size) if image.size != first.size else image for image in others]
        buffer = io.BytesIO()
        duration = round(1000 * _PREVIEW_SECONDS)
        first.save(buffer, "WEBP", save_all=True, append_images=others, duration=duration, loop=0, quality=60, method=0)
        return buffer.getvalue()
