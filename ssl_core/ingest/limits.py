"""How much an archive may hold."""

from pydantic import Field

from ssl_core.images import MAX_PIXELS
from ssl_core.spec.base import Spec
from ssl_core.videos import MAX_FRAMES
from ssl_core.videos import MAX_PIXELS as FRAME_PIXELS


class Limits(Spec):
    """Bounds that keep a hostile or mistaken upload from filling a disk or a memory."""

    max_members: int = Field(default=5_000_000, ge=1)
    """Most members of an archive."""
    max_list_bytes: int = Field(default=512 << 20, ge=1)
    """Longest list of files that an upload leaves out, in bytes."""
    max_member_bytes: int = Field(default=256 << 20, ge=1)
    """Largest member, unpacked, in bytes. A larger one is refused by itself."""
    max_total_bytes: int = Field(default=1 << 40, ge=1)
    """Most bytes of an archive, unpacked."""
    max_ratio: float = Field(default=200, gt=1)
    """Largest ratio of unpacked to packed bytes. Images hardly shrink, so more than that is a bomb."""
    ratio_floor_bytes: int = Field(default=64 << 20, ge=0)
    """Unpacked bytes up to which the ratio does not matter."""
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    """Largest image, in pixels."""
    max_seconds: float = Field(default=30, gt=0)
    """Longest that one image may take to decode, in seconds."""
    max_video_bytes: int = Field(default=1 << 30, ge=1, le=(1 << 31) - (1 << 20))
    """Largest video, in bytes. A larger one is refused by itself. Parquet holds no value of 2 GiB."""
    max_video_seconds: float = Field(default=1800, gt=0)
    """Longest that one video may take to decode, in seconds."""
    max_frames: int = Field(default=MAX_FRAMES, ge=2)
    """Most frames of a video."""
    max_frame_pixels: int = Field(default=FRAME_PIXELS, ge=1)
    """Largest frame of a video, in pixels."""
    max_decoder_bytes: int = Field(default=4 << 30, ge=1 << 26)
    """Most memory that decoding an image or a video may take, in bytes."""
