"""Hostile uploads, each through a real ingest process: refused with a reason, in bounded memory, and with nothing left behind."""

import bz2
import io
import json
import lzma
import os
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from ssl_core.ingest.ends import end_of
from tests.factories import png, zip_of
from tests.ssl_core import hostile

_MEGABYTE = 1 << 20
_MEASURED = """import resource, subprocess, sys
status = subprocess.call(sys.argv[2:], pass_fds=[int(sys.argv[1])])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)"""
"""Runs a command and prints the most memory that it took, in kB. Started right from here, this process's own would be counted."""


@dataclass
class Ended:
    """What became of an ingest."""

    status: int
    events: list[dict]
    megabytes: int
    """Of the process, and of the largest of those that it started."""
    out: Path

    @property
    def error(self) -> str | None:
        return next((event["code"] for event in self.events if event["type"] == "error"), None)

    @property
    def report(self) -> dict:
        return json.loads((self.out / "report.json").read_text())

    @property
    def refused(self) -> dict[str, str]:
        lines = (self.out / "refused.jsonl").read_text().splitlines()
        return {member["name"]: member["code"] for member in map(json.loads, lines)}

    @property
    def stored(self) -> dict[str, bytes]:
        rows = [row for shard in self.out.glob("shard-*.parquet") for row in pq.read_table(shard).to_pylist()]
        return {row["image"]["path"]: row["image"]["bytes"] for row in rows}


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[..., Ended]:
    """Ingests a file in a process of its own, as a worker does, and looks that nothing is where it must not be."""

    def run(source: Path, filename: str = "upload.zip", kind: str = "image", **limits: object) -> Ended:
        out = tmp_path / "out"
        before = {path for path in tmp_path.rglob("*") if out not in path.parents and path != out}
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "ssl_core", "ingest", str(source), f"--filename={filename}", "--kind", kind]
        command += ["--out", str(out), "--limits", json.dumps(limits), "--events-fd", str(writing)]
        measured = [sys.executable, "-c", _MEASURED, str(writing), *command]
        process = subprocess.Popen(measured, pass_fds=[writing], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
        os.close(writing)
        with os.fdopen(reading) as lines:
            events = [json.loads(line) for line in lines]
        kilobytes, _ = process.communicate()
        after = {path for path in tmp_path.rglob("*") if out not in path.parents and path != out}
        assert after == before
        left = {path.name.split("-")[0] for path in out.iterdir()}
        assert left <= {"shard", "report.json", "refused.jsonl", "files.jsonl"}, left
        return Ended(process.returncode, events, int(kilobytes) >> 10, out)

    return run


class TestMembers:
    def test_each_is_refused_by_itself(self, tmp_path: Path, ingest: Callable[..., Ended]):
        bad = {
            "../up.png": (png(8, 1), "unsafe_name"),
            "/etc/absolute.png": (png(8, 2), "unsafe_name"),
            "C:\\windows.png": (png(8, 3), "unsafe_name"),
            "turned\u202egnp.png": (png(8, 4), "unsafe_name"),
            "bell\x07.png": (png(8, 5), "unsafe_name"),
            "nested.zip": (hostile.a_zip(), "unsupported_format"),
            "wide.png": (hostile.png_of(2_000_000_000, 1), "too_many_pixels"),
            "large.png": (hostile.png_of(30_000, 30_000), "too_many_pixels"),
            "comment.png": (hostile.text_bomb(), "truncated"),
            "large.gif": (hostile.huge_gif(), "too_many_pixels"),
            "large.webp": (hostile.huge_webp(), "too_many_pixels"),
            "large.tiff": (hostile.tiff(60_000, 60_000), "too_many_pixels"),
            "short.tiff": (hostile.tiff(9000, 9000), "truncated"),
            "half.png": (png(64)[:2000], "truncated"),
            "half.jpg": (hostile.saved("JPEG")[:300], "truncated"),
            "nothing.png": (b"", "empty_file"),
            "text.png": (b"<?php system($_GET['x']); ?>" * 9, "not_an_image"),
        }
        good = {
            "good.png": png(8),
            "round.tiff": hostile.tiff(8, 8, following=8),
            "frames.gif": hostile.saved("GIF", 3000),
            "frames.webp": hostile.saved("WEBP", 300, lossless=True),
        }
        source = zip_of(tmp_path / "a.zip", {**{name: content for name, (content, _) in bad.items()}, **good})
        ended = ingest(source, max_ratio=1e9)
        assert ended.status == 0
        assert set(ended.refused.values()) == {code for _, code in bad.values()}
        shown = {name.replace("\u202e", "\ufffd").replace("\x07", "\ufffd"): code for name, (_, code) in bad.items()}
        assert ended.refused == shown
        assert set(ended.stored) == set(good)
        assert ended.megabytes < 600

    def test_links_and_devices_are_no_files(self, tmp_path: Path, ingest: Callable[..., Ended]):
        source = tmp_path / "a.tar"
        kinds = {"s": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "c": tarfile.CHRTYPE, "b": tarfile.BLKTYPE, "f": tarfile.FIFOTYPE}
        with tarfile.open(source, "w") as archive:
            for name, kind in kinds.items():
                info = tarfile.TarInfo(f"{name}.png")
                info.type, info.linkname = kind, "/etc/passwd"
                archive.addfile(info)
            info = tarfile.TarInfo("good.png")
            info.size = len(png(8))
            archive.addfile(info, io.BytesIO(png(8)))
        ended = ingest(source)
        assert ended.refused == {"s.png": "link", "h.png": "link", **{f"{one}.png": "not_a_file" for one in "cbf"}}
        assert set(ended.stored) == {"good.png"}

    @pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_one_that_lies_about_its_size_is_not_unpacked(self, tmp_path: Path, ingest: Callable[..., Ended], method: int):
        ended = ingest(hostile.lying(tmp_path / "a.zip", method), max_ratio=1e9)
        assert (ended.refused, set(ended.stored)) == ({"liar.bmp": "damaged_member"}, {"good.png"})
        assert ended.megabytes < 170

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_honest_ones_of_every_method_are_taken(self, tmp_path: Path, ingest: Callable[..., Ended], method: int):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
            archive.writestr("noise.png", png(64))
            archive.writestr("flat.bmp", hostile.saved("BMP"))
        assert ingest(tmp_path / "a.zip").stored == {"noise.png": png(64), "flat.bmp": hostile.saved("BMP")}


class TestTwoThingsAtOnce:
    """Files that are an image and something else: the image is stored, and what is behind its end is not."""

    @pytest.mark.parametrize("rest", [hostile.a_zip(), hostile.a_tar(), b"\0", png(8, 9)])
    def test_only_the_image_is_stored(self, tmp_path: Path, ingest: Callable[..., Ended], rest: bytes):
        images = {
            "a.png": png(16),
            "b.jpg": hostile.saved("JPEG"),
            "c.jpg": hostile.saved("JPEG", progressive=True, comment=b"\xff\xd9 no end"),
            "d.gif": hostile.saved("GIF"),
            "e.webp": hostile.saved("WEBP"),
        }
        ended = ingest(zip_of(tmp_path / "a.zip", {name: content + rest for name, content in images.items()}))
        assert ended.stored == images
        assert f"5 files have something behind the end of their image, {5 * len(rest):,} bytes" in ended.report["warnings"][0]

    def test_a_single_one_is_an_image_by_its_beginning(self, tmp_path: Path, ingest: Callable[..., Ended]):
        (tmp_path / "upload").write_bytes(png(16) + hostile.a_zip())
        assert ingest(tmp_path / "upload", "-dash.png").stored == {"-dash.png": png(16)}

    def test_a_zip_behind_an_image_is_no_archive(self, tmp_path: Path, ingest: Callable[..., Ended]):
        (tmp_path / "upload").write_bytes(hostile.saved("GIF") + hostile.a_zip())
        assert b"smuggled" not in b"".join(path.read_bytes() for path in ingest(tmp_path / "upload", "a.zip").out.iterdir())

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
    def test_whole_files_end_where_they_end(self, kind: str):
        content = hostile.saved(kind)
        assert end_of(content) == end_of(content + b"more") == len(content)
        for size in range(0, len(content), 7):
            assert end_of(content[:size]) is None

    def test_of_other_kinds_nothing_is_cut(self):
        for content in (hostile.saved("BMP"), hostile.saved("TIFF"), b"text", b""):
            assert end_of(content + b"more") is None

    def test_two_pictures_of_a_camera_become_its_first(self):
        buffer = io.BytesIO()
        first, second = (Image.open(io.BytesIO(png(32, seed))) for seed in (1, 2))
        first.save(buffer, "MPO", save_all=True, append_images=[second])
        content = buffer.getvalue()
        end = end_of(content)
        assert end is not None
        assert end < len(content)
        with Image.open(io.BytesIO(content)) as whole, Image.open(io.BytesIO(content[:end])) as cut:
            assert whole.convert("RGB").tobytes() == cut.convert("RGB").tobytes()


class TestArchives:
    @pytest.mark.parametrize("make", [hostile.overlapping, hostile.quoting])
    def test_members_that_share_bytes_are_a_bomb(self, tmp_path: Path, ingest: Callable[..., Ended], make: Callable[[Path], Path]):
        ended = ingest(make(tmp_path / "a.zip"))
        assert (ended.status != 0, ended.error) == (True, "archive_bomb")
        assert list(ended.out.iterdir()) == []

    @pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
    def test_a_tar_that_unpacks_to_too_much_is_a_bomb(
        self, tmp_path: Path, ingest: Callable[..., Ended], pack: Callable[[bytes], bytes]
    ):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            info = tarfile.TarInfo("a.bmp")
            info.size = 100 * _MEGABYTE
            archive.addfile(info, io.BytesIO(bytes(info.size)))
        (tmp_path / "upload").write_bytes(pack(buffer.getvalue()))
        ended = ingest(tmp_path / "upload")
        assert ended.error == "archive_bomb"
        assert ended.megabytes < 350

    def test_an_xz_that_asks_for_gigabytes_is_refused(self, tmp_path: Path, ingest: Callable[..., Ended]):
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 16 * _MEGABYTE}]
        content = bytearray(lzma.compress(hostile.a_tar(), check=lzma.CHECK_NONE, filters=filters))
        # The block's header holds the dictionary's size as one byte behind the filter's id, and a checksum of its own.
        place = content.index(b"\x21\x01", 12) + 2
        content[place] = 39  # 3 GiB
        header = content[12 : 12 + (content[12] + 1) * 4 - 4]
        content[12 + len(header) : 16 + len(header)] = struct.pack("<I", zlib.crc32(header))
        (tmp_path / "upload").write_bytes(content)
        ended = ingest(tmp_path / "upload")
        assert ended.error == "not_an_archive"
        assert "emory" in ended.events[-1]["message"]

    def test_an_xz_of_several_streams_is_read_to_its_end(self, tmp_path: Path, ingest: Callable[..., Ended]):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name in ("a.png", "b.png"):
                info = tarfile.TarInfo(name)
                info.size = len(png(64))
                archive.addfile(info, io.BytesIO(png(64)))
        content = buffer.getvalue()
        (tmp_path / "upload").write_bytes(lzma.compress(content[:9000]) + bytes(8) + lzma.compress(content[9000:]))
        assert set(ingest(tmp_path / "upload").stored) == {"a.png", "b.png"}

    def test_nested_ones_are_never_opened(self, tmp_path: Path, ingest: Callable[..., Ended]):
        inner = hostile.a_zip()
        for _ in range(20):
            inner = zip_of(tmp_path / "a.zip", {"a.zip": inner}).read_bytes()
        ended = ingest(tmp_path / "a.zip")
        assert (ended.error, ended.refused) == ("no_usable_image", {"a.zip": "unsupported_format"})

    def test_many_tiny_members_are_counted_before_anything_is_unpacked(self, tmp_path: Path, ingest: Callable[..., Ended]):
        source = zip_of(tmp_path / "a.zip", {f"{number}.png": b"" for number in range(20_000)})
        ended = ingest(source, max_members=19_999)
        assert (ended.error, ended.megabytes < 170) == ("archive_too_large", True)

    def test_more_than_a_zip_may_have_are_refused_before_they_take_memory(self, tmp_path: Path, ingest: Callable[..., Ended]):
        entry = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"a"
        table, count = entry * 2_000_001, 2_000_001
        wide = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(table), 4)
        locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 4 + len(table), 1)
        end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + table + wide + locator + end)
        ended = ingest(tmp_path / "a.zip")
        assert (ended.error, "2,000,000 members" in ended.events[-1]["message"]) == ("archive_too_large", True)
        assert ended.megabytes < 300

    def test_a_folder_in_a_zip_that_is_a_link_is_no_way_out(self, tmp_path: Path, ingest: Callable[..., Ended]):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            info = zipfile.ZipInfo("folder")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, str(tmp_path.parent))
            archive.writestr("folder/escaped.png", png(8))
        ended = ingest(tmp_path / "a.zip")
        assert (ended.refused, set(ended.stored)) == ({"folder": "link"}, {"folder/escaped.png"})
