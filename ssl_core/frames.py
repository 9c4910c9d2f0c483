"""Messages between a worker and the process that embeds at once: a line of JSON, then bytes. Torch-free, and no pickle."""

import json
from collections.abc import Sequence
from typing import IO, Any

MOST_BYTES = 256 << 20
"""Largest message, in bytes; a defect must not fill the memory."""


def write_frame(pipe: IO[bytes], header: dict[str, Any], parts: Sequence[bytes] = ()) -> None:
    """Send a message: its header, and any number of byte strings.

    Raises:
        OSError: nobody reads.
    """
    pipe.write(json.dumps({**header, "sizes": [len(part) for part in parts]}).encode() + b"\n")
    pipe.writelines(parts)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> tuple[dict[str, Any], list[bytes]] | None:
    """Receive a message; None once there will be no more, also if the last one is cut off."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        return None
    header = json.loads(line)
    sizes = header.pop("sizes")
    if sum(sizes) > MOST_BYTES or any(size < 0 for size in sizes):
        raise ValueError(f"a message of {sum(sizes):,} bytes")
    parts = [pipe.read(size) for size in sizes]
    if any(len(part) < size for part, size in zip(parts, sizes, strict=True)):
        return None
    return header, parts
