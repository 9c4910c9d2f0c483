"""How much an archive may hold."""

from pydantic import Field

from ssl_core.images import MAX_PIXELS
from ssl_core.spec.base import Spec


class Limits(Spec):
    """Bounds that keep a hostile or mistaken upload from filling a disk or a memory."""

    max_members: int = Field(default=5_000_000, ge=1)
    """Most members of an archive."""
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
