"""Where an image ends in a file that goes on behind it, such as one that is a picture and an archive at once.

What is behind the end is no part of the picture, and nobody has looked at it; so it is not stored. Where the end cannot be told
for certain, the file stays as it is.
"""

import re
from collections.abc import Callable

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_GIF = (b"GIF87a", b"GIF89a")
_IN_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""A marker within the packed pixels of a JPEG that ends them: none that stands for a byte, and no restart."""
_LONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers of a JPEG without content."""


def end_of(content: bytes) -> int | None:
    """Number of bytes of a PNG, JPEG, GIF or WebP without what comes behind it; None if that cannot be told."""
    finders: tuple[tuple[bool, Callable[[bytes], int | None]], ...] = (
        (content.startswith(_PNG), _end_of_png),
        (content.startswith(_JPEG), _end_of_jpeg),
        (content.startswith(_GIF), _end_of_gif),
        (content.startswith(b"RIFF") and content[8:12] == b"WEBP", _end_of_webp),
    )
    find = next((find for fits, find in finders if fits), None)
    if find is None:
        return None
    try:
        end = find(content)
    except IndexError:  # it is cut off
        return None
    return end if end is not None and end <= len(content) else None


def _end_of_png(content: bytes) -> int | None:
    place = len(_PNG)
    while place + 12 <= len(content):
        kind = content[place + 4 : place + 8]
        place += 12 + int.from_bytes(content[place : place + 4], "big")
        if kind == b"IEND":
            return place
    return None


def _end_of_jpeg(content: bytes) -> int | None:
    place = 2
    while True:
        if content[place] != 0xFF:
            return None
        while content[place] == 0xFF:
            place += 1
        marker = content[place]
        place += 1
        if marker == 0xD9:
            return place
        if marker in _LONE:
            continue
        place += int.from_bytes(content[place : place + 2], "big")
        if marker == 0xDA:
            found = _IN_SCAN.search(content, place)
            if found is None:
                return None
            place = found.start()


def _end_of_gif(content: bytes) -> int | None:
    place = 13 + _table(content[10])
    while True:
        kind = content[place]
        if kind == 0x3B:
            return place + 1
        if kind == 0x21:
            place += 2
        elif kind == 0x2C:
            place += 10 + _table(content[place + 9]) + 1
        else:
            return None
        while size := content[place]:
            place += 1 + size
        place += 1


def _table(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def _end_of_webp(content: bytes) -> int | None:
    size = int.from_bytes(content[4:8], "little")
    return 8 + size + size % 2
