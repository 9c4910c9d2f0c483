import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zstandard

from ssl_core import ingest
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.events import TextEvents
from ssl_core.images import ImageError
from ssl_core.ingest import checks, run_ingest
from ssl_core.process import StopRequest
from tests.factories import png, tar_of, zip_of


@pytest.fixture
def events() -> TextEvents:
    return TextEvents(io.StringIO())


@pytest.fixture
def run(tmp_path: Path, events: TextEvents):
    def run(source: Path, **limits: object) -> dict:
        return run_ingest(source, tmp_path / "out", events, StopRequest(), limits=limits)

    return run


@pytest.fixture
def rows(tmp_path: Path):
    def read() -> list[dict]:
        return [row for shard in sorted((tmp_path / "out").glob("shard-*.parquet")) for row in pq.read_table(shard).to_pylist()]

    return read


@pytest.fixture
def refused(tmp_path: Path):
    def read() -> dict[str, str]:
        lines = (tmp_path / "out" / "refused.jsonl").read_text().splitlines()
        return {member["name"]: member["code"] for member in map(json.loads, lines)}

    return read


def pictures(count: int = 3) -> dict[str, bytes]:
    return {f"{number}.png": png(16, number) for number in range(count)}


class TestArchives:
    @pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "folder"])
    def test_every_kind_gives_the_same(self, tmp_path: Path, run, rows, kind: str):
        source = tmp_path / "upload"  # told apart by content: the name says nothing
        members = pictures()
        if kind == "zip":
            zip_of(source, members)
        elif kind == "folder":
            source.mkdir()
            for name, content in members.items():
                (source / name).write_bytes(content)
        elif kind == "tar.zst":
            source.write_bytes(zstandard.compress(tar_of(tmp_path / "plain", members).read_bytes()))
        else:
            tar_of(source, members, f"w:{kind.removeprefix('tar').removeprefix('.')}")
        assert run(source)["images"] == 3
        assert [(row["image"]["path"], row["image"]["bytes"]) for row in rows()] == list(members.items())

    def test_a_single_image(self, tmp_path: Path, run, rows):
        source = tmp_path / "one.png"
        source.write_bytes(png())
        assert run(source)["images"] == 1
        assert rows()[0]["image"]["path"] == "one.png"

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"notes, not pictures\n" * 100, "not_an_archive"),
            (b"PK\x03\x04 but no zip", "not_an_archive"),
            (b"\x1f\x8b but no gzip", "not_an_archive"),
            (b"\x28\xb5\x2f\xfd but no zstandard", "not_an_archive"),
        ],
    )
    def test_what_is_none_is_told_so(self, tmp_path: Path, run, content: bytes, code: str):
        source = tmp_path / "notes.zip"
        source.write_bytes(content)
        with pytest.raises(UserError) as caught:
            run(source)
        assert caught.value.code == code

    @pytest.mark.parametrize("kind", ["zip", "tar"])
    def test_an_empty_archive_is_told_so(self, tmp_path: Path, run, kind: str):
        source = zip_of(tmp_path / "empty", {}) if kind == "zip" else tar_of(tmp_path / "empty", {})
        with pytest.raises(UserError) as caught:
            run(source)
        assert caught.value.code in {"empty_archive", "not_an_archive"}

    @pytest.mark.parametrize("mode", ["w:gz", "w"])
    def test_of_one_that_is_cut_off_the_first_images_are_taken(self, tmp_path: Path, run, mode: str):
        whole = tar_of(tmp_path / "whole", {f"{number}.png": png(64, number) for number in range(20)}, mode).read_bytes()
        source = tmp_path / "half"
        source.write_bytes(whole[: len(whole) // 2])
        report = run(source)
        assert 5 <= report["images"] < 20
        assert "damaged or cut off" in report["warnings"][0]

    def test_an_encrypted_member_is_refused(self, tmp_path: Path, run, refused):
        source = zip_of(tmp_path / "a.zip", pictures(2))
        content = bytearray(source.read_bytes())
        for magic, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
            content[content.index(magic) + place] |= 1
        source.write_bytes(content)
        assert run(source)["images"] == 1
        assert refused() == {"0.png": "encrypted"}


class TestMembers:
    def test_a_thousand_bad_ones_do_not_harm_a_good_one(self, tmp_path: Path, run, rows):
        members = {f"{number}.jpg": b"\xff\xd8\xffbroken" for number in range(1000)} | {"good.png": png()}
        report = run(zip_of(tmp_path / "a.zip", members))
        assert (report["images"], report["refused"]) == (1, 1000)
        assert report["refused_by_reason"] == {"truncated": 1000}
        assert rows()[0]["image"]["path"] == "good.png"

    def test_hidden_files_and_clutter_are_passed_over(self, tmp_path: Path, run, refused):
        clutter = {"__MACOSX/._0.png": b"x", ".DS_Store": b"x", "a/.hidden/1.png": png(), "Thumbs.db": b"x"}
        report = run(zip_of(tmp_path / "a.zip", {**clutter, "0.png": png()}))
        assert (report["images"], report["passed_over"], refused()) == (1, 4, {})

    def test_names_that_lead_elsewhere_are_refused(self, tmp_path: Path, run, refused):
        bad = ["../../x.png", "/etc/x.png", "C:\\x.png", "a/../../x.png", "..\\x.png", "a\u202egnp.png", "a\nb.png"]
        report = run(zip_of(tmp_path / "a.zip", {**{name: png() for name in bad}, "0.png": png()}))
        assert report["images"] == 1
        assert set(refused().values()) == {"unsafe_name"}
        assert len(refused()) == len(bad)
        assert list(tmp_path.rglob("x.png")) == []

    def test_links_and_devices_in_a_tar_are_refused(self, tmp_path: Path, run, refused):
        source = tmp_path / "a.tar"
        with tarfile.open(source, "w") as archive:
            for name, kind in (("s", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("d", tarfile.CHRTYPE), ("f", tarfile.FIFOTYPE)):
                info = tarfile.TarInfo(f"{name}.png")
                info.type, info.linkname = kind, "/etc/passwd"
                archive.addfile(info)
            content = png()
            info = tarfile.TarInfo("0.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        assert run(source)["images"] == 1
        assert refused() == {"s.png": "link", "h.png": "link", "d.png": "not_a_file", "f.png": "not_a_file"}

    def test_a_link_in_a_zip_is_refused(self, tmp_path: Path, run, refused):
        source = tmp_path / "a.zip"
        with zipfile.ZipFile(source, "w") as archive:
            info = zipfile.ZipInfo("link.png")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
            archive.writestr("0.png", png())
        assert run(source)["images"] == 1
        assert refused() == {"link.png": "link"}

    def test_a_link_in_a_folder_is_refused(self, tmp_path: Path, run, refused):
        source = tmp_path / "folder"
        source.mkdir()
        (source / "0.png").write_bytes(png())
        (source / "1.png").symlink_to("/etc/passwd")
        assert run(source)["images"] == 1
        assert refused() == {"1.png": "link"}

    def test_a_damaged_zip_member_is_refused(self, tmp_path: Path, run, refused):
        source = zip_of(tmp_path / "a.zip", pictures(2))
        content = bytearray(source.read_bytes())
        content[content.index(b"IDAT") + 20] ^= 255
        source.write_bytes(content)
        assert run(source)["images"] == 1
        assert refused() == {"0.png": "damaged_member"}

    def test_long_and_foreign_names_are_kept_readable(self, tmp_path: Path, run, rows):
        run(zip_of(tmp_path / "a.zip", {"ünï/çødé 图片.png": png(seed=1), "x" * 1000 + ".png": png(seed=2)}))
        assert rows()[0]["image"]["path"] == "ünï/çødé 图片.png"
        assert len(rows()[1]["image"]["path"]) < 600


class TestBounds:
    def test_a_bomb_is_refused_as_a_whole(self, tmp_path: Path, run):
        source = tar_of(tmp_path / "a.tar.gz", {f"{number}.bmp": bytes(1_000_000) for number in range(8)}, "w:gz")
        with pytest.raises(UserError) as caught:
            run(source, ratio_floor_bytes=1_000_000)
        assert caught.value.code == "archive_bomb"

    def test_too_many_members_and_too_many_bytes(self, tmp_path: Path, run):
        source = zip_of(tmp_path / "a.zip", pictures(5))
        for limits in ({"max_members": 4}, {"max_total_bytes": 1000}):
            with pytest.raises(UserError) as caught:
                run(source, **limits)
            assert caught.value.code == "archive_too_large"

    def test_a_large_member_is_refused_by_itself(self, tmp_path: Path, run, refused):
        run(zip_of(tmp_path / "a.zip", {"big.png": png(64), "small.png": png(8)}), max_member_bytes=1000)
        assert refused() == {"big.png": "too_large"}

    def test_no_usable_image_is_an_error_with_a_report(self, tmp_path: Path, run, refused):
        with pytest.raises(UserError) as caught:
            run(zip_of(tmp_path / "a.zip", {"a.txt": b"text", "b.jpg": b"\xff\xd8\xff"}))
        assert caught.value.code == "no_usable_image"
        assert refused() == {"a.txt": "not_an_image", "b.jpg": "truncated"}
        assert json.loads((tmp_path / "out" / "report.json").read_text())["refused"] == 2


class TestDecoders:
    def test_one_that_crashes_costs_one_image(self, tmp_path: Path, run, refused, monkeypatch: pytest.MonkeyPatch):
        genuine = checks.check

        def check(content: bytes, max_pixels: int) -> checks.Checked:
            if content == b"killer":
                os._exit(1)
            return genuine(content, max_pixels)

        monkeypatch.setattr(checks, "check", check)
        report = run(zip_of(tmp_path / "a.zip", pictures(300) | {"killer.png": b"killer"} | {"last.png": png(16, 999)}))
        assert report["images"] == 301
        assert refused() == {"killer.png": "decoder_crashed"}

    def test_one_that_takes_too_long_costs_one_image(self, tmp_path: Path, run, refused, monkeypatch: pytest.MonkeyPatch):
        genuine = checks.inspect

        def inspect(content: bytes, *, max_pixels: int) -> object:
            try:
                while content == b"endless":
                    pass
            except Exception as error:
                raise ImageError("truncated", "stopped") from error
            return genuine(content, max_pixels=max_pixels)

        monkeypatch.setattr(checks, "inspect", inspect)
        assert run(zip_of(tmp_path / "a.zip", pictures(2) | {"endless.png": b"endless"}), max_seconds=0.2)["images"] == 2
        assert refused() == {"endless.png": "too_slow"}


class TestLabels:
    def test_come_from_class_folders(self, tmp_path: Path, run, rows):
        members = {f"set/{name}/{number}.png": png(8, number) for name in ("dog", "cat") for number in range(3)}
        report = run(zip_of(tmp_path / "a.zip", members))
        assert (report["labels"], report["label_counts"]) == (["cat", "dog"], {"cat": 3, "dog": 3})
        assert [row["label"] for row in rows()] == [1, 1, 1, 0, 0, 0]

    def test_splits_come_from_folders_too(self, tmp_path: Path, run, rows):
        members = {f"{part}/{name}/{n}.png": png(8, n) for part in ("train", "val") for name in ("a", "b") for n in range(3)}
        report = run(zip_of(tmp_path / "a.zip", members))
        assert report["splits"] == {"train": 6, "validation": 6}
        assert rows()[6]["split"] == "validation"

    @pytest.mark.parametrize(
        ("names", "note"),
        [
            (["0.png", "1.png"], "not in class folders"),
            (["a/0.png", "a/1.png"], "not in class folders"),
            (["a/0.png", "1.png"], "some images are in folders"),
            (["a/0.png", "b/c/1.png"], "different depths"),
            (["a/0.png", "b/1.png", "c/2.png"], "almost as many folders as images"),
        ],
    )
    def test_where_there_are_none_the_report_says_why(self, tmp_path: Path, run, rows, names: list[str], note: str):
        report = run(zip_of(tmp_path / "a.zip", {name: png(8, seed) for seed, name in enumerate(names)}))
        assert report["labels"] == []
        assert note in report["label_note"]
        assert "label" not in rows()[0]


class TestShards:
    def test_carry_the_hugging_face_schema(self, tmp_path: Path, run):
        run(zip_of(tmp_path / "a.zip", {f"{name}/{number}.png": png(8, number) for name in ("a", "b") for number in range(3)}))
        schema = pq.read_schema(tmp_path / "out" / "shard-00000.parquet")
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        assert features["image"] == {"_type": "Image"}
        assert features["label"] == {"names": ["a", "b"], "_type": "ClassLabel"}
        assert set(features) == set(schema.names)

    def test_are_cut_by_size_and_hashed(self, tmp_path: Path, run, rows, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(ingest.shards, "GROUP_BYTES", 4000)
        monkeypatch.setattr(ingest.shards, "SHARD_BYTES", 20_000)
        report = run(zip_of(tmp_path / "a.zip", pictures(60)))
        assert len(report["shards"]) > 1
        assert len(rows()) == 60
        for shard in report["shards"]:
            path = tmp_path / "out" / shard["name"]
            digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
            assert (shard["sha256"], shard["bytes"]) == (digest, path.stat().st_size)


class TestReport:
    def test_counts_sizes_and_duplicates(self, tmp_path: Path, run):
        members = {"a.png": png(16, 0), "b.png": png(16, 0), "c.png": png(20, 1), "d.png": png(40, 2, "L")}
        report = run(zip_of(tmp_path / "a.zip", members))
        assert report["exact_duplicates"] == {"groups": 1, "images": 1, "examples": [["a.png", "b.png"]]}
        assert report["sizes"]["median_side"] == 18
        assert report["sizes"]["width"] == {"min": 16, "median": 18, "max": 40}
        assert report["modes"] == {"RGB": 3, "L": 1}
        assert report["formats"] == {"PNG": 4}


class TestStop:
    def test_is_heeded(self, tmp_path: Path, events: TextEvents):
        stop = StopRequest()
        stop.set()
        with pytest.raises(InterruptedRun):
            run_ingest(zip_of(tmp_path / "a.zip", pictures()), tmp_path / "out", events, stop)


class TestCommand:
    def test_runs_alone(self, tmp_path: Path):
        source = zip_of(tmp_path / "a.zip", pictures())
        command = [sys.executable, "-m", "ssl_core", "ingest", str(source), "--out", str(tmp_path / "out")]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0
        assert "images 3" in ended.stderr
        assert np.array(pq.read_table(tmp_path / "out" / "shard-00000.parquet")["width"]).tolist() == [16, 16, 16]
