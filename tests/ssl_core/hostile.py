"""Files that are made to do harm."""

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

from PIL import Image

from tests.factories import png


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width: int, height: int, *extra: bytes) -> bytes:
    """A PNG in black and white whose pixels pack to almost nothing."""
    packer = zlib.compressobj(9)
    row = bytes(1 + -(-width // 8))
    pixels = b"".join(packer.compress(row) for _ in range(min(height, 20_000))) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG with a comment of 200 MB."""
    return png_of(8, 8, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200 << 20), 9)))


def huge_gif() -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    return head + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\0;"


def huge_webp() -> bytes:
    content = bytearray(saved("WEBP", lossless=True))
    place = content.index(b"VP8L") + 9
    content[place : place + 4] = struct.pack("<I", 0x3FFF | 0x3FFF << 14)
    return bytes(content)


def tiff(width: int, height: int, following: int = 0) -> bytes:
    """A grey TIFF that says it has these sides; its next page is at `following`."""
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 200),
        (277, 3, 1),
        (278, 4, height),
    ]
    entries.append((279, 4, min(width * height, 0xFFFFFFFF)))
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + struct.pack("<I", following)
    return head.ljust(200, b"\0") + bytes(64)


def saved(kind: str, frames: int = 1, **options: object) -> bytes:
    buffer = io.BytesIO()
    images = [Image.new("RGB", (16, 16), (number % 256, number // 256, 9)) for number in range(frames)]
    more = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(buffer, kind, **more, **options)
    return buffer.getvalue()


def a_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("secret.txt", b"smuggled")
        archive.writestr("inner.png", png(8, 77))
    return buffer.getvalue()


def a_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("secret.txt")
        info.size = 8
        archive.addfile(info, io.BytesIO(b"smuggled"))
    return buffer.getvalue()


def overlapping(path: Path, copies: int = 50) -> Path:
    """A zip whose table of contents names the same bytes many times (Fifield 2019, without his quoting)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("00.bmp", bytes(100_000))
    content = buffer.getvalue()
    table = content.index(b"PK\x01\x02")
    entry, end = content[table : content.index(b"PK\x05\x06")], bytearray(content[content.index(b"PK\x05\x06") :])
    entries = b"".join(entry.replace(b"00.bmp", b"%02d.bmp" % number) for number in range(copies))
    end[8:16] = struct.pack("<HHI", copies, copies, len(entries))
    path.write_bytes(content[:table] + entries + end)
    return path


def quoting(path: Path) -> Path:
    """A zip whose first member has the second one's header and content within its own bytes (Fifield 2019)."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("b.png", png(8))
    second = inner.getvalue()[: inner.getvalue().index(b"PK\x01\x02")]
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("a.png", second)
    content = outer.getvalue()
    table, end = content.index(b"PK\x01\x02", len(second)), content.rindex(b"PK\x05\x06")
    inner_table = bytearray(inner.getvalue()[inner.getvalue().index(b"PK\x01\x02") : inner.getvalue().rindex(b"PK\x05\x06")])
    inner_table[42:46] = struct.pack("<I", content.index(second))
    tables = content[table:end] + bytes(inner_table)
    tail = bytearray(content[end:])
    tail[8:20] = struct.pack("<HHII", 2, 2, len(tables), table)
    path.write_bytes(content[:table] + tables + tail)
    return path


def lying(path: Path, method: int) -> Path:
    """A zip with a member that says it has 1,000 bytes and unpacks to 192 MiB, and a good one."""
    with zipfile.ZipFile(path, "w", method, compresslevel=9 if method != zipfile.ZIP_LZMA else None) as archive:
        with archive.open("liar.bmp", "w") as member:
            for _ in range(192):
                member.write(bytes(1 << 20))
        archive.writestr("good.png", png(8))
    content = bytearray(path.read_bytes())
    table = content.index(b"PK\x01\x02")
    content[table + 24 : table + 28] = struct.pack("<I", 1000)
    content[22:26] = struct.pack("<I", 1000)
    path.write_bytes(content)
    return path
