import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from launcher import motions
from launcher.shapes import generate
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.evaluation import run_evaluate
from ssl_core.events import TextEvents
from ssl_core.pretrain import run_pretrain
from ssl_core.process import StopRequest

PROTOCOLS = [
    {"name": "knn", "k": 5},
    "linear",
    {"name": "retrieval", "queries": 20},
    {"name": "fine_tune", "steps": 6, "batch_size": 16, "learning_rates": [0.001]},
    {"name": "label_efficiency", "labels_per_class": [1, 4, "all"], "steps": 4, "batch_size": 16, "draws": 2},
]


class Recorder:
    """Keeps events; asks to stop once so many results are there."""

    def __init__(self, stop: StopRequest, stop_at: int | None = None) -> None:
        self.events: list[dict] = []
        self._stop, self._stop_at = stop, stop_at

    def emit(self, type_: str, **fields: object) -> None:
        self.events.append({"type": type_, **json.loads(json.dumps(fields))})
        if fields.get("phase") == "evaluate" and fields["done"] == self._stop_at:
            self._stop.set()

    def of(self, type_: str) -> list[dict]:
        return [event for event in self.events if event["type"] == type_]


def pretrained(data: Path, out: Path, **asked: object) -> Path:
    out.mkdir(parents=True)
    spec = {"task": {"name": "rotation"}, "encoder": {"name": "tiny"}, "steps": 4, "batch_size": 16, "formats": [], **asked}
    (out / "spec.json").write_text(json.dumps(spec))
    run_pretrain(
        out / "spec.json",
        data=data,
        out=out,
        cache=out / "cache",
        cache_bytes=1 << 30,
        dataset_key=None,
        resume=None,
        checkpoint_seconds=1e9,
        events=TextEvents(io.StringIO()),
        stop=StopRequest(),
    )
    return out / "bundle"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four kinds of shapes, 30 each, in a folder for each; one picture is there twice."""
    folder = tmp_path_factory.mktemp("shapes")
    images, labels, _ = generate(count=300, seed=0, size=32)
    for kind in range(4):
        (folder / f"kind{kind}").mkdir()
        for number, image in enumerate(images[labels == kind]):
            Image.fromarray(image).save(folder / f"kind{kind}" / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained(data, tmp_path_factory.mktemp("trained") / "out")


@pytest.fixture
def evaluate(tmp_path: Path, data: Path, bundle: Path):
    def run(
        name: str, *, stop_at: int | None = None, model: Path = bundle, on: Path = data, **asked: object
    ) -> tuple[Recorder, Path]:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"protocols": PROTOCOLS, **asked}))
        stop = StopRequest()
        events = Recorder(stop, stop_at)
        run_evaluate(
            path,
            model=model,
            data=on,
            out=tmp_path / name,
            cache=tmp_path / "cache",
            cache_bytes=1 << 30,
            dataset_key=None,
            checkpoint_seconds=0,
            events=events,
            stop=stop,
        )
        return events, tmp_path / name / "report"

    return run


def report_of(folder: Path) -> dict:
    found: dict = json.loads((folder / "report.json").read_text())
    return found


class TestReport:
    def test_has_every_protocol_and_its_pictures(self, evaluate):
        events, folder = evaluate("whole")
        told = report_of(folder)
        assert told["classes"] == [f"kind{number}" for number in range(4)]
        assert (told["data"]["train"], told["data"]["test"], told["chance"]) == (96, 24, 0.25)
        for name in ("knn", "linear"):
            for who in ("pretrained", "untrained"):
                one = told[name][who]
                assert list(one["stages"]) == ["stage1", "stage2", "stage3", "stage4"]
                assert one["stages"][one["best_stage"]]["accuracy"] == one["accuracy"]
                assert one["stages"][one["best_stage"]]["validation_accuracy"] == max(
                    stage["validation_accuracy"] for stage in one["stages"].values()
                )
                assert np.sum(one["confusion"]) == 24
                assert one["interval"][0] <= one["accuracy"] <= one["interval"][1]
        assert told["retrieval"]["queries"] == 20
        assert told["fine_tune"]["scratch"]["steps"] == 6
        points = told["label_efficiency"]["points"]
        assert [(point["labels_per_class"], point["labels"]) for point in points] == [(1, 4), (4, 16), (24, 96)]
        assert all(len(point[kind]["runs"]) == 2 for point in points for kind in ("scratch", "pretrained_linear"))
        assert set(told["label_efficiency"]["learning_rates"].values()) <= {1e-3, 3e-4}
        assert [one["labels"] for one in told["labels_saved"]] == [1, 4, 24]
        assert told["sentence"] in told["label_efficiency"]["sentences"].values()
        pictures = ["confusion", "label_efficiency", "neighbours", "stages"]
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            ["report.json", *(f"{name}.{kind}" for name in pictures for kind in ("png", "svg"))]
        )
        for name in pictures:
            with Image.open(folder / f"{name}.png") as picture:
                assert min(picture.size) > 200
            assert "<svg" in (folder / f"{name}.svg").read_text()
        done = [event for event in events.of("progress") if event["phase"] == "evaluate"]
        assert [event["done"] for event in done] == list(range(1, done[0]["total"] + 1))

    def test_is_the_same_again_also_if_it_was_interrupted(self, evaluate):
        asked = {"protocols": [PROTOCOLS[0], PROTOCOLS[4]]}
        _, whole = evaluate("whole", **asked)
        for stop_at in (3, 14):
            with pytest.raises(InterruptedRun):
                evaluate("parts", stop_at=stop_at, **asked)
        events, parts = evaluate("parts", **asked)
        assert "14 of" in events.of("log")[0]["message"]
        assert {path.name: path.read_bytes() for path in parts.iterdir()} == {
            path.name: path.read_bytes() for path in whole.iterdir()
        }

    def test_removes_what_is_in_both_parts(self, evaluate, tmp_path: Path, data: Path):
        copy = tmp_path / "copy"
        for split, first, last in (("train", 0, 20), ("test", 18, 30)):
            for kind in range(4):
                folder = copy / split / f"kind{kind}"
                folder.mkdir(parents=True)
                for number in range(first, last):
                    (folder / f"{number}.png").write_bytes((data / f"kind{kind}" / f"{number}.png").read_bytes())
        for duplicates, left in (("remove", 72), ("keep", 80)):
            _, folder = evaluate(duplicates, on=copy, duplicates=duplicates, protocols=["knn"])
            told = report_of(folder)["data"]
            assert (told["test_split"], told["train"]) == ("the dataset's own test split", left)
            assert (told["duplicates"]["found"], told["duplicates"]["exact"]) == (8, 8)
            assert told["duplicates"]["removed_from_training"] == 80 - left

    def test_is_of_videos_too(self, evaluate, tmp_path: Path):
        clips = tmp_path / "clips"
        for clip in motions.generate(32, size=32, frames=12):
            folder = clips / motions.MOTIONS[clip.label]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / clip.name).write_bytes(motions.mp4(clip.frames))
        asked = {"task": {"name": "video_rotation"}, "encoder": {"name": "tiny3d"}, "image_size": 32, "batch_size": 4}
        model = pretrained(clips, tmp_path / "trained", **asked, clip_frames=4, frame_stride=2)
        efficiency = {"name": "label_efficiency", "labels_per_class": [1, 2], "steps": 1, "learning_rates": [0.001], "draws": 2}
        _, folder = evaluate("videos", model=model, on=clips, protocols=["knn", "retrieval", efficiency])
        told = report_of(folder)
        assert (told["data"]["kind"], told["data"]["train"], told["data"]["test"]) == ("video", 24, 8)


class TestRefused:
    def test_says_that_there_are_no_labels(self, evaluate, data: Path):
        with pytest.raises(UserError, match="folder for each class"):
            evaluate("unlabelled", on=data / "kind0")

    def test_says_how_many_labels_there_are(self, evaluate):
        with pytest.raises(UserError, match="asks for 500, and a class has 24"):
            evaluate("many", protocols=[{"name": "label_efficiency", "labels_per_class": [1, 500]}])

    def test_says_what_is_wrong_with_the_spec(self, evaluate):
        with pytest.raises(UserError, match="protocols"):
            evaluate("wrong", protocols=["knnn"])
