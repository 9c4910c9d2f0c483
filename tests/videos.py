"""Real video files for tests, made by FFmpeg through PyAV."""

import io
import struct
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

Frames = npt.NDArray[np.uint8]


def moving(frames: int = 20, height: int = 48, width: int = 64) -> Frames:
    """A white square that goes from left to right near the top, (T, H, W, 3)."""
    clip = np.full((frames, height, width, 3), 30, np.uint8)
    for number, frame in enumerate(clip):
        left = number * (width - 10) // frames
        frame[4:14, left : left + 10] = 255
    return clip


def left_of(frame: Frames) -> int:
    """Where in a frame the bright columns begin."""
    return int(np.flatnonzero((frame.astype(int).sum(2) > 500).any(0))[0])


def video(
    frames: Frames | None = None,
    *,
    container: str = "mp4",
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 25,
    times: Sequence[int] | None = None,
    group: int = 12,
    **options: str,
) -> bytes:
    """A video file; `times` are those of the frames in milliseconds."""
    frames = moving() if frames is None else frames
    with tempfile.NamedTemporaryFile() as file:  # some options have the file read again
        _write(Path(file.name), frames, container, codec, pixels, rate, times, group, options)
        return file.read()


def _write(
    path: Path,
    frames: Frames,
    container: str,
    codec: str,
    pixels: str,
    rate: int,
    times: Sequence[int] | None,
    group: int,
    options: dict[str, str],
) -> None:
    with av.open(str(path), "w", format=container, options=options) as out:
        stream: Any = out.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = group
        stream.codec_context.thread_count = 1  # the same frames, the same bytes
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, frame in enumerate(frames):
            shown = av.VideoFrame.from_ndarray(frame, format="rgb24")
            if times is not None:
                shown.pts, shown.time_base = times[number], Fraction(1, 1000)
            out.mux(stream.encode(shown))
        out.mux(stream.encode())


def sound() -> bytes:
    """An MP4 with sound and no pictures."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream: Any = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return buffer.getvalue()


def turned(content: bytes, width: int, height: int) -> bytes:
    """An upright MP4 as a phone that is held on its side writes it: to be turned clockwise by a quarter when it is shown."""
    del width
    changed = bytearray(content)
    matrix = content.index(b"tkhd") + 44
    changed[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, height << 16, 0, 1 << 30)
    return bytes(changed)


def animation(frames: Frames | None = None, kind: str = "GIF", milliseconds: int = 40) -> bytes:
    """An animated GIF or WebP."""
    first, *others = map(Image.fromarray, moving() if frames is None else frames)
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=others, duration=milliseconds)
    return buffer.getvalue()
