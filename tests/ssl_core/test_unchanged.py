"""Uploads that leave files out: what comes of them is what comes of the whole."""

import io
import json
import tracemalloc
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ssl_core.errors import InterruptedRun, UserError
from ssl_core.events import TextEvents
from ssl_core.ingest import run_ingest, shards, unchanged
from ssl_core.ingest.unchanged import LIST
from ssl_core.process import StopRequest
from tests.factories import png, tar_of
from tests.videos import moving, video

Members = dict[str, bytes]


def picture(seed: int, side: int = 16) -> bytes:
    """Noise: no two are alike."""
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(out, "png")
    return out.getvalue()


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ingest(self, name: str, members: Members, base: str | None = None, mode: str = "w", **limits: Any) -> dict[str, Any]:
        source = tar_of(self.folder / f"{name}.tar", members, mode)
        out, before = self.folder / name, None if base is None else self.folder / base
        return run_ingest(source, out, TextEvents(io.StringIO()), StopRequest(), limits=limits, base=before)

    def files(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name / "files.jsonl").read_text().splitlines()]

    def shards(self, name: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((self.folder / name).glob("shard-*.parquet"))]

    def without(self, whole: Members, base: str) -> Members:
        """What is sent of an upload if all that the base has is left out."""
        there = {content: sample for sample, content in enumerate(self.contents(base))}
        lines, sent = [], {}
        for name, content in whole.items():
            if (sample := there.pop(content, None)) is None:
                sent[name] = content
            else:
                lines.append(json.dumps({"path": name, "sample": sample, "before": len(sent)}))
        return {LIST: "\n".join(lines).encode(), **sent}

    def contents(self, name: str) -> list[bytes]:
        found: list[bytes] = []
        for path in sorted((self.folder / name).glob("shard-*.parquet")):
            table = pq.read_table(path)
            found += [row["bytes"] for row in table[table.schema.names[0]].to_pylist()]
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


BEFORE = {f"{number:02}.png": picture(number) for number in range(20)}


class TestWhatComesOfIt:
    @pytest.mark.parametrize(
        "after",
        [
            BEFORE,
            {**BEFORE, "05.png": picture(100), "055.png": picture(101), "zz.png": picture(102), "00.png": picture(103)},
            {name: content for name, content in BEFORE.items() if int(name[:2]) % 3},
            {f"{'cat' if number % 2 else 'dog'}/{name}": BEFORE[name] for number, name in enumerate(sorted(BEFORE, reverse=True))},
            {"broken.png": b"\x89PNG\r\n\x1a\nnothing", **BEFORE, "notes.txt": b"no picture"},
        ],
        ids=["nothing changed", "changed and new", "fewer", "moved into folders", "with refused files"],
    )
    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    def test_is_what_comes_of_the_whole(self, bench: Bench, monkeypatch, after: Members, mode: str):
        monkeypatch.setattr(shards, "GROUP_ROWS", 3)
        monkeypatch.setattr(shards, "SHARD_BYTES", 4000)
        bench.ingest("before", BEFORE)
        assert len(bench.shards("before")) > 1
        whole = bench.ingest("whole", after)
        sent = bench.without(after, "before")
        part = bench.ingest("part", sent, "before", mode)
        assert len(sent) <= 7
        assert {**part, "seconds": 0} == {**whole, "seconds": 0}
        assert bench.shards("part") == bench.shards("whole")
        assert bench.files("part") == bench.files("whole")
        assert (bench.folder / "part" / "refused.jsonl").read_text() == (bench.folder / "whole" / "refused.jsonl").read_text()
        assert not [path.name for path in (bench.folder / "part").iterdir() if path.suffix not in {".parquet", ".json", ".jsonl"}]

    def test_videos(self, bench: Bench):
        before = {f"{n}.mp4": video(moving(8 + n)) for n in range(3)}
        after = {**before, "1.mp4": video(moving(12))}
        bench.ingest("before", before)
        bench.ingest("whole", after)
        bench.ingest("part", bench.without(after, "before"), "before")
        assert bench.shards("part") == bench.shards("whole")

    def test_the_list_names_what_is_stored_as_it_came(self, bench: Bench):
        with_rest = BEFORE["01.png"] + b"something behind it"
        bench.ingest("before", {"a.png": BEFORE["00.png"], "b.png": with_rest, "c.png": BEFORE["02.png"], "d.txt": b"text"})
        known = {0: ("a.png", BEFORE["00.png"]), 2: ("c.png", BEFORE["02.png"])}
        assert bench.files("before") == [
            {"path": path, "bytes": len(content), "sha256": sha256(content).hexdigest(), "sample": sample}
            for sample, (path, content) in known.items()
        ]

    def test_frames_of_clips_are_not_listed(self, bench: Bench):
        frames = {f"{clip}/{number:02}.png": png(32, number) for clip in "ab" for number in range(4)}
        source = tar_of(bench.folder / "clips.tar", frames)
        run_ingest(source, bench.folder / "clips", TextEvents(io.StringIO()), StopRequest(), kind="video")
        assert bench.files("clips") == []


def line(path: object = "a.png", sample: object = 0, before: object = 0) -> bytes:
    return json.dumps({"path": path, "sample": sample, "before": before}).encode() + b"\n"


class TestHostile:
    @pytest.fixture(autouse=True)
    def _before(self, bench: Bench) -> None:
        bench.ingest("before", BEFORE)

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"no json\n", "line 1"),
            (line() + b"[1]\n", "line 2"),
            (b"[" * 100_000, "line 1"),
            (line(path=None), "line 1"),
            (line("\ud800.png"), "line 1"),
            (line(sample=-1), "line 1"),
            (line(sample=True), "line 1"),
            (line(sample=1.0), "line 1"),
            (line(sample=1 << 70), "line 1"),
            (line(sample=20), "names sample 20"),
            (line() + line("b.png"), "twice"),
            (line(before=1) + line("b.png", 1, 0), "out of order"),
            (line(before=2), "behind 2 others"),
        ],
    )
    def test_a_wrong_list_is_told(self, bench: Bench, content: bytes, told: str):
        with pytest.raises(UserError, match=told) as error:
            bench.ingest("after", {LIST: content, "z.png": picture(99)}, "before")
        assert error.value.code == "wrong_list_of_unchanged"
        assert not list((bench.folder / "after").glob("shard-*"))

    @pytest.mark.parametrize("members", [{}, {"a.png": picture(1), LIST: line()}])
    def test_one_that_does_not_come_first(self, bench: Bench, members: Members):
        with pytest.raises(UserError) as error:
            bench.ingest("after", members, "before")
        assert error.value.code == "no_list_of_unchanged"

    def test_one_that_is_too_long(self, bench: Bench):
        with pytest.raises(UserError, match="at most 50"):
            bench.ingest("after", {LIST: line() * 2}, "before", max_list_bytes=50)

    def test_names_are_refused_as_in_archives(self, bench: Bench):
        content = line("../up.png") + line("/abs.png", 1) + line("tu\u202ern.png", 2) + line("c\x07.png", 3) + line(".hidden", 4)
        told = bench.ingest("after", {LIST: content + line("fine.png", 5), "z.png": picture(99)}, "before")
        assert (told["refused_by_reason"], told["images"], told["passed_over"]) == ({"unsafe_name": 4}, 2, 1)

    def test_limits_count_what_is_left_out(self, bench: Bench):
        sent = bench.without(BEFORE, "before")
        with pytest.raises(UserError, match="more than 10 files"):
            bench.ingest("after", sent, "before", max_members=10)
        with pytest.raises(UserError, match="unpacks to more"):
            bench.ingest("after", sent, "before", max_total_bytes=5000)

    def test_what_is_left_out_is_no_bomb(self, bench: Bench):
        told = bench.ingest("after", bench.without(BEFORE, "before"), "before", ratio_floor_bytes=0, max_ratio=1.5)
        assert told["images"] == len(BEFORE)

    def test_without_a_base_the_list_is_a_hidden_file(self, bench: Bench):
        told = bench.ingest("after", {LIST: line(), "z.png": picture(99)})
        assert (told["images"], told["passed_over"]) == (1, 1)

    def test_a_full_disk(self, bench: Bench, monkeypatch):
        monkeypatch.setattr(unchanged.shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
        with pytest.raises(UserError, match="1 bytes free"):
            bench.ingest("after", bench.without(BEFORE, "before"), "before")

    def test_stops_when_asked(self, bench: Bench):
        stop = StopRequest()
        stop.set()
        source = tar_of(bench.folder / "after.tar", bench.without(BEFORE, "before"))
        with pytest.raises(InterruptedRun):
            run_ingest(source, bench.folder / "after", TextEvents(io.StringIO()), stop, base=bench.folder / "before")


def test_takes_no_more_memory_than_the_whole(bench: Bench):
    """Copies lie on the disk: 30 MB that are left out take little."""
    big = {f"{number}.png": picture(number, 1000) for number in range(10)}
    peaks = []
    for name, members, base in (("before", big, None), ("after", None, "before")):
        sent = bench.without(big, "before") if members is None else members
        tracemalloc.start()
        bench.ingest(name, sent, base)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert sum(map(len, big.values())) > 29_000_000
    assert peaks[1] < peaks[0] + 8_000_000
