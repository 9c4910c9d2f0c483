import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ssl_core.cache import decoded_images
from ssl_core.clips import ClipSettings
from ssl_core.dataset import facts_of
from ssl_core.errors import UserError
from ssl_core.events import TextEvents
from ssl_core.ingest import run_ingest
from ssl_core.process import StopRequest
from tests.factories import png, zip_of
from tests.videos import animation, left_of, moving, sound, video

QUIET = TextEvents(io.StringIO())


@pytest.fixture
def run(tmp_path: Path):
    def run(members: dict[str, bytes], **more: object) -> dict:
        return run_ingest(zip_of(tmp_path / "a.zip", members), tmp_path / "out", QUIET, StopRequest(), **more)

    return run


@pytest.fixture
def rows(tmp_path: Path):
    def read() -> list[dict]:
        return [row for shard in sorted((tmp_path / "out").glob("shard-*.parquet")) for row in pq.read_table(shard).to_pylist()]

    return read


def refused(folder: Path) -> dict[str, str]:
    lines = (folder / "out" / "refused.jsonl").read_text().splitlines()
    return {member["name"]: member["code"] for member in map(json.loads, lines)}


def frames(folder: str, count: int = 6, kind: str = "JPEG", side: int = 48) -> dict[str, bytes]:
    made = {}
    for number, frame in enumerate(moving(count)[:, :, :side]):
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}))
        made[f"{folder}/{number + 1:04}.{'jpg' if kind == 'JPEG' else kind.lower()}"] = buffer.getvalue()
    return made


class TestVideos:
    def test_each_kind_is_taken_and_the_rest_named(self, run, rows, tmp_path: Path):
        report = run(
            {
                "a.mp4": video(),
                "b.webm": video(container="webm", codec="libvpx-vp9"),
                "c.gif": animation(),
                "d.mp4": sound(),
                "e.mp4": video(moving(1)),
                "f.mp4": video()[:800],
                "g.png": png(),
                "h.txt": b"words",
            }
        )
        assert report["kind"] == "video"
        assert (report["videos"], report["refused"]) == (3, 5)
        assert refused(tmp_path) == {
            "d.mp4": "no_video",
            "e.mp4": "single_frame",
            "f.mp4": "truncated",
            "g.png": "not_a_video",
            "h.txt": "not_a_video",
        }
        assert report["frames"] == {"total": 60, "min": 20, "median": 20, "max": 20}
        assert report["durations"]["total"] == pytest.approx(2.4)
        assert report["lengths"] == [(20, 3)]
        assert report["codecs"] == {"h264": 1, "vp9": 1, "gif": 1}
        assert [row["video"]["path"] for row in rows()] == ["a.mp4", "b.webm", "c.gif"]
        assert rows()[0]["video"]["bytes"] == video()

    def test_shards_say_what_they_are(self, run, tmp_path: Path):
        run({"a/x.mp4": video(), "b/y.mp4": video(), "a/z.mp4": video(moving(30)), "b/w.mp4": video()})
        schema = pq.read_schema(tmp_path / "out" / "shard-00000.parquet")
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        assert features["video"] == {"_type": "Video"}
        assert features["label"]["names"] == ["a", "b"]

    def test_equal_videos_are_found(self, run):
        assert run({"a.mp4": video(), "b.mp4": video()})["exact_duplicates"]["videos"] == 1

    def test_a_video_that_crashes_its_decoder_costs_one(self, run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        import os

        from ssl_core.ingest import checks

        real = checks.check_video
        bad = video(moving(7))
        monkeypatch.setattr(checks, "check_video", lambda content, limits: os.abort() if content == bad else real(content, limits))
        assert run({"a.mp4": video(), "bad.mp4": bad, "c.mp4": video()})["videos"] == 2
        assert refused(tmp_path) == {"bad.mp4": "decoder_crashed"}

    def test_one_that_wants_too_much_memory_costs_one(self, tmp_path: Path):
        large = video(np.zeros((3, 4320, 7680, 3), np.uint8))
        source = zip_of(tmp_path / "a.zip", {"a.mp4": video(), "large.mp4": large})
        # In a process of its own: what this one has freed is memory to those that it forks.
        command = [sys.executable, "-m", "ssl_core", "ingest", str(source), "--out", str(tmp_path / "out")]
        subprocess.run([*command, "--limits", json.dumps({"max_decoder_bytes": 1 << 26})], check=True, capture_output=True)
        assert json.loads((tmp_path / "out" / "report.json").read_text())["videos"] == 1
        # Some decoders tell a lack of memory as such, others as bad data.
        assert refused(tmp_path)["large.mp4"] in {"too_much_memory", "truncated"}

    def test_limits_of_frames_and_pixels(self, run, tmp_path: Path):
        limits = {"max_frames": 25, "max_frame_pixels": 64 * 48}
        run({"a.mp4": video(), "b.mp4": video(moving(26)), "c.mp4": video(moving(20, 64, 64))}, limits=limits)
        assert refused(tmp_path) == {"b.mp4": "too_many_frames", "c.mp4": "too_many_pixels"}

    def test_one_that_is_cut_off_is_told(self, run):
        content = video(moving(200), movflags="faststart")
        report = run({"a.mp4": content[: len(content) // 2]})
        assert report["cut_off"] == 1
        assert "a.mp4" in report["warnings"][0]

    def test_a_single_video(self, tmp_path: Path):
        (tmp_path / "one.mp4").write_bytes(video())
        report = run_ingest(tmp_path / "one.mp4", tmp_path / "out", QUIET, StopRequest())
        assert (report["kind"], report["videos"]) == ("video", 1)


class TestKind:
    def test_what_weighs_more_decides(self, run, tmp_path: Path):
        report = run({"a.mp4": video(moving(1)), **{f"{number}.png": png(64, number) for number in range(20)}})
        assert (report["kind"], report["images"]) == ("image", 20)
        assert refused(tmp_path) == {"a.mp4": "video"}
        assert "kind" in report["warnings"][0]

    def test_what_is_asked_for_counts(self, run):
        members = {"a.mp4": video(), **{f"{number}.png": png(64, number) for number in range(20)}}
        assert run(members, kind="video")["videos"] == 1

    def test_still_gifs_are_images(self, run):
        still = io.BytesIO()
        Image.new("RGB", (8, 8)).save(still, "GIF")
        assert run({"a.gif": still.getvalue()})["kind"] == "image"
        assert run({"a.gif": animation()})["kind"] == "video"

    def test_nothing_usable_is_told_by_kind(self, run):
        with pytest.raises(UserError) as error:
            run({"a.mp4": sound()})
        assert error.value.code == "no_usable_video"


class TestFrames:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
    def test_a_folder_of_frames_is_a_clip(self, run, rows, kind: str):
        clips = {"jump/four": 6, "jump/three": 6, "run/one": 6, "run/two": 9}
        members = [frames(name, count, kind) for name, count in clips.items()]
        report = run({name: content for clip in members for name, content in clip.items()}, kind="video")
        assert report["videos"] == 4
        assert report["labels"] == ["jump", "run"]
        assert sorted((row["video"]["path"], row["frames"]) for row in rows()) == list(clips.items())

    def test_frames_keep_their_order_and_their_pixels(self, run, tmp_path: Path):
        made = frames("a", 12, "PNG")
        run({**dict(sorted(made.items(), key=lambda member: hash(member[0]))), **frames("b", 12, "PNG")}, kind="video")
        with decoded_images(
            tmp_path / "out", size=48, cache=tmp_path / "c", cache_bytes=1 << 30, key=None, events=QUIET, stop=StopRequest(),
            clips=ClipSettings(4, 1),
        ) as decoded:  # fmt: skip
            assert (decoded.images[:12] == moving(12)[:, :, :48]).mean() > 0.99
            assert [left_of(frame) for frame in decoded.images[:9]] == [number * 54 // 12 for number in range(9)]

    def test_frames_are_known_by_how_alike_they_are(self, run):
        draws = np.random.default_rng(0)
        members = {}
        for clip in range(4):
            picture = np.kron(draws.integers(0, 256, (6, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)
            for number in range(8):
                buffer = io.BytesIO()
                Image.fromarray(np.roll(picture, number, 1)).save(buffer, "PNG")
                members[f"{clip}/frame{number:03}.png"] = buffer.getvalue()
        assert run(members)["kind"] == "video"

    def test_numbered_images_of_classes_stay_images(self, run):
        draws = np.random.default_rng(0)
        members = {}
        for name in ("cat", "dog", "bird"):
            for number in range(8):
                picture = np.kron(draws.integers(0, 256, (6, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)
                buffer = io.BytesIO()
                Image.fromarray(picture).save(buffer, "PNG")
                members[f"{name}/{number:04}.png"] = buffer.getvalue()
        assert run(members)["kind"] == "image"

    def test_frames_of_different_sizes_are_no_clip(self, run, tmp_path: Path):
        mixed = {**frames("a", 3), "a/0009.jpg": next(iter(frames("a", 1, side=32).values()))}
        report = run({**mixed, **frames("b")}, kind="video")
        assert report["videos"] == 1
        assert refused(tmp_path) == {"a": "mixed_sizes"}


class TestDecodedClips:
    @pytest.fixture
    def data(self, run, tmp_path: Path) -> Path:
        run({"a/long.mp4": video(moving(54)), "a/short.mp4": video(moving(6)), "b/even.mp4": video(moving(20)), "b/x.mp4": video()})
        return tmp_path / "out"

    def opened(self, data: Path, cache: Path, settings: ClipSettings):
        return decoded_images(
            data, size=48, cache=cache, cache_bytes=1 << 30, key="ds", events=QUIET, stop=StopRequest(), clips=settings
        )

    def test_facts(self, data: Path):
        facts = facts_of(sorted(data.glob("*.parquet")))
        assert (facts.kind, facts.images, facts.frames, facts.median_side) == ("video", 4, 100, 48)
        assert facts.lengths == ((6, 1), (20, 2), (54, 1))

    def test_all_frames_are_decoded_once_for_all_ways_to_cut_them(self, data: Path, tmp_path: Path):
        with self.opened(data, tmp_path / "c", ClipSettings(8, 2)) as decoded:
            assert decoded.images.shape == (100, 48, 48, 3)
            assert decoded.clips.videos.tolist() == [0, 0, 0, 2, 3]
            assert decoded.labels.tolist() == [0, 0, 1, 1]
        made = (tmp_path / "c" / "ds-48" / "images.u8").stat().st_ino
        with self.opened(data, tmp_path / "c", ClipSettings(4, 1)) as decoded:
            assert decoded.clips.videos.tolist() == [0] * 13 + [1] + [2] * 5 + [3] * 5
        assert (tmp_path / "c" / "ds-48" / "images.u8").stat().st_ino == made

    def test_few_clips_of_long_videos(self, data: Path, tmp_path: Path):
        with self.opened(data, tmp_path / "c", ClipSettings(4, 1)) as whole:
            frames_of_long = np.array(whole.images[:54])
        with self.opened(data, tmp_path / "c", ClipSettings(4, 1, most=2)) as decoded:
            assert decoded.clips.videos.tolist() == [0, 0, 1, 2, 2, 3, 3]
            assert len(decoded.images) == 16 + 6 + 16 + 16
            # 2 * 4 frames in the middle of each half
            assert (decoded.images[:8] == frames_of_long[9:17]).all()
            assert (decoded.images[8:16] == frames_of_long[36:44]).all()
