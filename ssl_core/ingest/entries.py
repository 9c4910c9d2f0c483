"""What every source of images gives: its members, one after another."""

from collections.abc import Callable
from typing import NamedTuple

from ssl_core.errors import UserError
from ssl_core.ingest.limits import Limits
from ssl_core.ingest.refusal import Refusal


class Entry(NamedTuple):
    """A member of a source, folders left out."""

    name: str
    size: int
    """Bytes, unpacked."""
    packed: int
    """Bytes in the archive, as far as that is known of a single member; else as `size`."""
    refusal: Refusal | None
    """Why it is refused by its kind, if it is."""
    read: Callable[[], bytes]
    """Its content. Only to be called before the next entry is asked for. Raises `ImageError` if this member alone is unreadable."""


class DamagedError(Exception):
    """The archive cannot be read any further."""


def check_total(unpacked: int, packed: int | None, limits: Limits) -> None:
    """Stop at an archive that unpacks to too much.

    Args:
        unpacked: bytes so far.
        packed: bytes of the archive; None for a folder.
        limits: what is allowed.

    Raises:
        UserError: it is too much.
    """
    if unpacked > limits.max_total_bytes:
        raise UserError("archive_too_large", f"the archive unpacks to more than {limits.max_total_bytes:,} bytes; split it")
    if packed and unpacked > limits.ratio_floor_bytes and unpacked / packed > limits.max_ratio:
        message = (
            f"the archive unpacks to more than {limits.max_ratio:.0f} times its size, which images never do; it is taken for a bomb"
        )
        raise UserError("archive_bomb", message)
