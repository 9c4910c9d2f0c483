"""Folders of numbered images, which are the frames of clips.

A clip's frames become one QuickTime video. JPEG and PNG go in as they are, not encoded anew; the rest goes in as PNG.
"""

import io
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from ssl_core.images import ImageError, decode_rgb, inspect, is_upright
from ssl_core.ingest.kinds import place_of
from ssl_core.ingest.names import parts_of

if TYPE_CHECKING:
    from av.video.stream import VideoStream

RATE = 25
"""Frames a second of a clip that came as images: nobody knows how fast they were taken."""
_CODECS = {"JPEG": ("mjpeg", "yuvj420p"), "PNG": ("png", "rgb24")}
_MOST_BYTES = 2 << 30


def clip_of(name: str) -> str:
    """Name of the clip that a frame belongs to: its folder's."""
    return "/".join(parts_of(name)[:-1]) or "frames"


class Clips:
    """Gathers the frames of each clip until all of them are here.

    Args:
        expected: number of frames of each clip, by its name.
    """

    def __init__(self, expected: Counter[str]) -> None:
        self._left = Counter(expected)
        self._frames: dict[str, list[tuple[str, bytes]]] = {}
        self._held = 0

    def add(self, name: str, content: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
        """Take a frame, or note that it will not come; gives its clip with its frames in order, once it is whole.

        Raises:
            ImageError: too many clips are begun and none is whole.
        """
        clip = clip_of(name)
        self._left[clip] -= 1
        if content is not None:
            self._frames.setdefault(clip, []).append((name, content))
            self._held += len(content)
        if self._left[clip] <= 0:
            frames = self._frames.pop(clip, [])
            self._held -= sum(len(content) for _, content in frames)
            if frames:
                yield clip, _in_order(frames)
        elif self._held > _MOST_BYTES:
            frames = self._frames.pop(clip)
            self._held -= sum(len(content) for _, content in frames)
            raise ImageError("interleaved", "the frames of too many clips are mixed in the archive; put each clip's together")

    def rest(self) -> Iterator[tuple[str, list[bytes]]]:
        """What there is of the clips that are not whole, because the archive has ended."""
        for clip, frames in self._frames.items():
            yield clip, _in_order(frames)
        self._frames = {}


def _in_order(frames: list[tuple[str, bytes]]) -> list[bytes]:
    def key(frame: tuple[str, bytes]) -> tuple[int, str]:
        place = place_of(frame[0])
        return (place.number if place else -1, frame[0])

    return [content for _, content in sorted(frames, key=key)]


def packed(frames: list[bytes], max_pixels: int) -> bytes:
    """A clip's frames as one video.

    Raises:
        ImageError: a frame is no usable image, or of another size than the first.
    """
    import av

    facts = [inspect(frame, max_pixels=max_pixels) for frame in frames]
    sizes = {(one.width, one.height) for one in facts}
    if len(sizes) > 1:
        shown = ", ".join(f"{width} x {height}" for width, height in sorted(sizes)[:3])
        raise ImageError("mixed_sizes", f"its frames have different sizes ({shown}); they are no frames of one clip")
    kinds = {one.format for one in facts}
    kind = kinds.pop() if len(kinds) == 1 else ""
    as_they_are = kind in _CODECS and all(one.mode == "RGB" for one in facts) and all(map(is_upright, frames))
    if not as_they_are:
        kind, frames = "PNG", [_as_png(frame) for frame in frames]
    codec, pixels = _CODECS[kind]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mov") as container:
        stream: VideoStream = container.add_stream(codec, rate=RATE)  # type: ignore[assignment]  # both codecs are of video
        stream.width, stream.height = sizes.pop()
        stream.pix_fmt = pixels
        for number, frame in enumerate(frames):
            packet = av.Packet(frame)
            packet.stream, packet.time_base = stream, Fraction(1, RATE)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            container.mux(packet)
    return buffer.getvalue()


def _as_png(frame: bytes) -> bytes:
    buffer = io.BytesIO()
    decode_rgb(frame).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
