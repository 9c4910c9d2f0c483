import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pad
import pyarrow.parquet as pq
import pytest
from PIL import Image

from launcher import motions
from launcher.shapes import generate
from ssl_core import embedding
from ssl_core.embed import embed, embed_stages, load_encoder
from ssl_core.embedding import run_embed
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.process import StopRequest
from tests.ssl_core.test_evaluation import Recorder, pretrained


class Interrupter(Recorder):
    """Asks to stop once so many images are embedded."""

    def emit(self, type_: str, **fields: object) -> None:
        super().emit(type_, **fields)
        if fields.get("phase") == "embed" and self._stop_at is not None and fields["done"] >= self._stop_at:
            self._stop.set()


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return generate(count=100, seed=0, size=32)[0]


@pytest.fixture(scope="module")
def data(pictures: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred shapes in two splits and two classes, in order of their names."""
    folder = tmp_path_factory.mktemp("shapes")
    for number, picture in enumerate(pictures):
        path = folder / ("test" if number < 20 else "train") / ("a" if number % 20 < 10 else "b") / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return folder


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained(data, tmp_path_factory.mktemp("trained") / "out")


@pytest.fixture
def run(tmp_path: Path, data: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedding, "Ticker", _Always)

    def run(name: str, *, stop_at: int | None = None, model: Path = bundle, on: Path = data, **asked: object):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"batch_size": 8, **asked}))
        stop = StopRequest()
        events = Interrupter(stop, stop_at)
        run_embed(
            path,
            model=model,
            model_id="model_1",
            data=on,
            out=tmp_path / name,
            cache=tmp_path / "cache",
            cache_bytes=1 << 30,
            dataset_key="ds_1",
            checkpoint_seconds=0,
            events=events,
            stop=stop,
        )
        return events, tmp_path / name / "embeddings"

    return run


class _Always:
    def __init__(self, seconds: float) -> None:
        pass

    def due(self) -> bool:
        return True


def values(folder: Path) -> np.ndarray:
    table = pq.read_table(folder)
    return np.stack(table["embedding"].to_numpy())


class TestFiles:
    def test_have_a_row_for_each_image_in_order(self, run, pictures: np.ndarray, bundle: Path):
        events, folder = run("whole")
        table = pq.read_table(folder)
        assert table.schema.names == ["id", "path", "label", "split", "embedding"]
        assert table.schema.field("embedding").type == pa.list_(pa.float32(), 128)
        assert table["id"].to_pylist() == list(range(100))
        numbers = [int(path[-7:-4]) for path in table["path"].to_pylist()]
        assert [number < 20 for number in numbers] == [split == "test" for split in table["split"].to_pylist()]
        assert [int(number % 20 >= 10) for number in numbers] == table["label"].to_pylist()
        encoder, _ = load_encoder(bundle)
        assert np.allclose(values(folder), embed(encoder, pictures[numbers]), atol=1e-5)
        assert events.of("result")[-1] == {
            "type": "result",
            "embeddings": str(folder),
            "files": ["embeddings-00000.parquet"],
            "rows": 100,
            "left_out": 0,
            "features": 128,
            "weights_sha256": json.loads(table.schema.metadata[b"pretext"])["weights_sha256"],
        }

    def test_say_what_they_are_of(self, run, bundle: Path):
        _, folder = run("told", stage="stage2", normalize=True)
        metadata = pq.read_schema(folder / "embeddings-00000.parquet").metadata
        about = json.loads(metadata[b"pretext"])
        assert (about["model_id"], about["dataset"], about["stage"], about["normalize"]) == ("model_1", "ds_1", "stage2", True)
        assert about["encoder"] == {"name": "tiny", "stem": "standard"}
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        assert features["label"] == {"names": ["a", "b"], "_type": "ClassLabel"}
        assert features["embedding"]["length"] == 64

    def test_of_a_stage_scaled_to_length_one(self, run, pictures: np.ndarray, bundle: Path):
        _, folder = run("stage", stage="stage2", normalize=True)
        found = values(folder)
        numbers = [int(path[-7:-4]) for path in pq.read_table(folder)["path"].to_pylist()]
        encoder, _ = load_encoder(bundle)
        expected = embed_stages(encoder, pictures[numbers])["stage2"]
        assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        assert np.allclose(found * np.linalg.norm(expected, axis=1, keepdims=True), expected, atol=1e-5)

    def test_are_several_that_open_as_one(self, run, monkeypatch: pytest.MonkeyPatch):
        _, whole = run("whole")
        monkeypatch.setattr(embedding, "FILE_BYTES", 32 * 128 * 4)
        _, parts = run("parts")
        names = [path.name for path in sorted(parts.iterdir())]
        assert names == [f"embeddings-{number:05}.parquet" for number in range(4)]
        assert pad.dataset(parts).to_table().equals(pq.read_table(whole))
        monkeypatch.setattr(embedding, "FILE_BYTES", 64 * 128 * 4)
        assert len(list(run("parts")[1].iterdir())) == 2


class TestResume:
    @pytest.mark.parametrize("place", ["here", "elsewhere"])
    def test_ends_with_the_same_bytes(self, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str):
        monkeypatch.setattr(embedding, "FILE_BYTES", 32 * 128 * 4)
        _, whole = run("whole")
        kept: dict[int, Path] = {}
        name = "parts"
        for number, stop_at in enumerate((16, 32, 56)):
            with pytest.raises(InterruptedRun):
                run(name, stop_at=stop_at)
            if place == "elsewhere":  # as a worker keeps checkpoints, and lays them out for the next attempt
                for path in (tmp_path / name).glob("*/*.parquet"):
                    step = int(pq.read_table(path)["id"][-1].as_py()) + 1
                    kept[step] = path
                name = f"parts{number}"
                (tmp_path / name / "checkpoints").mkdir(parents=True)
                for step, path in kept.items():
                    (tmp_path / name / "checkpoints" / f"rows-{step:09}.parquet").symlink_to(path)
        events, parts = run(name)
        assert "behind 56 of 100" in events.of("log")[0]["message"]
        assert [event["done"] for event in events.of("progress") if event["phase"] == "embed"] == [32, 64, 72, 80, 88, 96, 100]
        assert {path.name: path.read_bytes() for path in parts.iterdir()} == {
            path.name: path.read_bytes() for path in whole.iterdir()
        }

    def test_what_is_damaged_or_of_something_else_is_made_anew(self, run, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(embedding, "FILE_BYTES", 32 * 128 * 4)
        _, whole = run("whole")
        before = {path.name: path.read_bytes() for path in whole.iterdir()}
        damaged = whole / "embeddings-00001.parquet"
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
        (whole / "embeddings-00002.parquet").write_bytes(b"PAR1")
        run("whole")
        assert {path.name: path.read_bytes() for path in whole.iterdir()} == before
        run("whole", normalize=True)
        assert np.allclose(np.linalg.norm(values(whole), axis=1), 1, atol=1e-5)


class TestMemory:
    def test_holds_no_more_of_the_images_than_a_batch(self, run, tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch):
        """Of 20 MB of decoded images, which are mapped from a file."""
        large = tmp_path / "large"
        shutil.copytree(bundle, large)
        config = json.loads((large / "config.json").read_text())
        (large / "config.json").write_text(json.dumps({**config, "image_size": 256}))
        held: list[int] = []

        def watch(_self: Interrupter, _type: str, **fields: object) -> None:
            if "done" in fields:
                held.append(_mapped())

        monkeypatch.setattr(Interrupter, "emit", watch)
        run("flat", model=large, stage="stage1")
        assert len(held) > 12
        assert max(held) - min(held) < 8 << 20


def _mapped() -> int:
    """Bytes of files that are in this process's memory."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssFile"].split()[0]) << 10


class TestVideos:
    def test_have_one_embedding_each(self, run, tmp_path: Path):
        clips = tmp_path / "clips"
        clips.mkdir()
        for clip in motions.generate(8, size=32, frames=12):
            (clips / clip.name).write_bytes(motions.mp4(clip.frames))
        (clips / "short.mp4").write_bytes(motions.mp4(next(iter(motions.generate(1, size=32, frames=3))).frames))
        asked = {"task": {"name": "video_rotation"}, "encoder": {"name": "tiny3d"}, "image_size": 32, "batch_size": 4}
        model = pretrained(clips, tmp_path / "trained", **asked, clip_frames=4, frame_stride=1)
        events, folder = run("videos", model=model, on=clips)
        table = pq.read_table(folder)
        assert table.num_rows == 8
        assert "short.mp4" not in table["path"].to_pylist()
        assert "1 videos are too short" in events.of("log")[-1]["message"]
        place = sorted(path.name for path in clips.iterdir()).index("short.mp4")
        assert {*range(9)} - {*table["id"].to_pylist()} == {place}
        assert np.ptp(values(folder), axis=0).max() > 0


class TestRefused:
    def test_says_which_stages_there_are_before_anything_is_decoded(self, run, tmp_path: Path):
        with pytest.raises(UserError, match="no stage 'layer9'; it has stage1, stage2, stage3, stage4"):
            run("wrong", stage="layer9")
        assert not (tmp_path / "cache").exists()

    def test_says_what_is_wrong_with_the_spec(self, run):
        with pytest.raises(UserError, match="batch_size"):
            run("wrong", batch_size=0)
