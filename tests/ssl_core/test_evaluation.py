import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from launcher import motions
from launcher.shapes import generate
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.evaluation import run_evaluate
from ssl_core.events import TextEvents
from ssl_core.ingest import run_ingest
from ssl_core.labels import LABELS
from ssl_core.labels.stored import LabelSet, of_folders, written
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


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of four motions, eight each."""
    clips = tmp_path_factory.mktemp("clips")
    for clip in motions.generate(32, size=32, frames=12):
        folder = clips / motions.MOTIONS[clip.label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / clip.name).write_bytes(motions.mp4(clip.frames))
    return clips


@pytest.fixture(scope="module")
def video_bundle(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = {"task": {"name": "video_rotation"}, "encoder": {"name": "tiny3d"}, "image_size": 32, "batch_size": 4}
    return pretrained(clips, tmp_path_factory.mktemp("videos") / "trained", **asked, clip_frames=4, frame_stride=2)


@pytest.fixture
def evaluate(tmp_path: Path, data: Path, bundle: Path):
    def run(
        name: str,
        *,
        stop_at: int | None = None,
        model: Path = bundle,
        on: Path = data,
        references: Sequence[tuple[str, Path]] = (),
        **asked: object,
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
            references=references,
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

    def test_does_not_mix_the_labels_of_two_attempts(self, evaluate, data: Path, tmp_path: Path):
        """Results that were found with other labels are not taken up, though as many images train and test."""
        shards = tmp_path / "shards"
        run_ingest(data, shards, TextEvents(io.StringIO()), StopRequest())
        with pytest.raises(InterruptedRun):
            evaluate("changed", on=shards, stop_at=3, protocols=["knn"])
        known = of_folders(sorted(shards.glob("*.parquet")))
        shifted = LabelSet(known.names, (known.labels + 1) % 4, None)
        (shards / LABELS).write_bytes(written(shifted, sorted(shards.glob("*.parquet"))))
        events, folder = evaluate("changed", on=shards, protocols=["knn"])
        assert not [event for event in events.of("log") if "found before" in event["message"]]
        assert report_of(folder)["data"]["labels_version"] == shifted.version != known.version

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

    def test_is_of_videos_too(self, evaluate, clips: Path, video_bundle: Path):
        efficiency = {"name": "label_efficiency", "labels_per_class": [1, 2], "steps": 1, "learning_rates": [0.001], "draws": 2}
        _, folder = evaluate("videos", model=video_bundle, on=clips, protocols=["knn", "retrieval", efficiency])
        told = report_of(folder)
        assert (told["data"]["kind"], told["data"]["train"], told["data"]["test"]) == ("video", 24, 8)


ROBUSTNESS = {
    "name": "robustness",
    "images": 12,
    "epsilons": ["2/255", "8/255"],
    "attack_steps": 4,
    "control_queries": 20,
    "one_pixel": {"images": 10, "population": 12, "generations": 3},
    "steps": 6,
    "learning_rates": [0.001],
}


class TestRobustness:
    def test_compares_both_heads_of_both_networks(self, evaluate):
        events, folder = evaluate("robust", protocols=[{**ROBUSTNESS, "heads": ["linear", "fine_tune"]}])
        told = report_of(folder)
        found = told["robustness"]
        assert (found["images"], found["epsilons"], found["control_epsilon"]) == (12, [2 / 255, 8 / 255], 8 / 255)
        assert {head: tuple(networks) for head, networks in found["heads"].items()} == {
            "linear": ("pretrained", "untrained"),
            "fine_tune": ("pretrained", "scratch"),
        }
        for networks in found["heads"].values():
            for one in networks.values():
                attacks = one["attacks"]
                assert [attack["epsilon"] for attack in attacks] == [0, 2 / 255, 8 / 255]
                assert {attacks[0][name] for name in ("noise", "fgsm", "pgd")} == {one["accuracy"]}
                assert all(attack["pgd"] <= one["accuracy"] for attack in attacks)
                assert one["pgd_by_step"] == sorted(one["pgd_by_step"], reverse=True)
                assert one["pgd_by_step"][-1] == attacks[-1]["pgd"]
                assert one["one_pixel"]["fooled"] == len(one["one_pixel"]["found"]) <= one["one_pixel"]["attacked"]
                assert np.mean([kind["accuracy"] for kind in one["corruptions"].values()]) == pytest.approx(
                    one["corrupted_accuracy"]
                )
                assert [check["name"] for check in one["checks"]][-2:] == ["no_masked_gradients", "transfer_is_weaker"]
                assert "fooled" not in one
        assert told["sentence"] == found["sentence"]
        assert events.of("result")[-1]["metrics"].keys() == {"attacked", "corrupted"}
        names = {path.name for path in folder.iterdir()}
        assert {
            f"{name}.{kind}" for name in ("robustness", "corruptions", "attacked", "corrupted") for kind in ("png", "svg")
        } <= names
        done = [event for event in events.of("progress") if event["phase"] == "evaluate"]
        assert [event["done"] for event in done] == list(range(1, done[0]["total"] + 1))

    def test_is_the_same_again_if_it_was_interrupted(self, evaluate):
        asked = {"protocols": [ROBUSTNESS]}
        _, whole = evaluate("whole", **asked)
        for stop_at in (10, 17):
            with pytest.raises(InterruptedRun):
                evaluate("parts", stop_at=stop_at, **asked)
        _, parts = evaluate("parts", **asked)
        assert {path.name: path.read_bytes() for path in parts.iterdir()} == {
            path.name: path.read_bytes() for path in whole.iterdir()
        }

    def test_takes_clips_but_no_single_pixels(self, evaluate, clips: Path, video_bundle: Path):
        _, folder = evaluate("clips", model=video_bundle, on=clips, protocols=[{**ROBUSTNESS, "images": 6}])
        found = report_of(folder)["robustness"]
        assert "one frame" in found["left_out"]["one_pixel"]
        assert found["heads"]["linear"]["pretrained"]["one_pixel"] is None
        assert found["heads"]["linear"]["pretrained"]["corruptions"].keys() >= {"fog", "jpeg"}


class TestReferences:
    def test_are_measured_beside_in_their_own_size(self, evaluate, tmp_path: Path, data: Path):
        other = pretrained(data, tmp_path / "other", image_size=64, encoder={"name": "alexnet"}, seed=1, batch_size=4, steps=1)
        efficiency = {**PROTOCOLS[4], "labels_per_class": [1, 4], "steps": 2, "learning_rates": [0.001]}
        asked = {"protocols": [PROTOCOLS[0], "linear", efficiency], "references": [("Another", other)]}
        events, folder = evaluate("beside", **asked)
        told = report_of(folder)
        (reference,) = told["references"]
        assert (reference["id"], reference["name"], reference["image_size"]) == ("bundle", "Another", 64)
        assert reference["sentence"] in told["sentence"]
        assert "Another" in reference["sentence"]
        assert [one["labels"] for one in reference["labels_saved"]] == [1, 4]
        for name in ("knn", "linear"):
            assert len(told[name]["references"]["bundle"]["stages"]) == 5
            assert len(told[name]["pretrained"]["stages"]) == 4
        assert told["label_efficiency"]["learning_rates"].keys() == {"scratch", "pretrained", "bundle"}
        assert all(len(point["bundle_fine_tune"]["runs"]) == 2 for point in told["label_efficiency"]["points"])
        assert "Another" in (folder / "stages.svg").read_text() + (folder / "label_efficiency.svg").read_text()
        done = [event for event in events.of("progress") if event["phase"] == "evaluate"]
        assert [event["done"] for event in done] == list(range(1, done[0]["total"] + 1))

    def test_the_same_encoder_is_as_good_as_itself(self, evaluate, bundle: Path, tmp_path: Path):
        copy = tmp_path / "copy"
        copy.symlink_to(bundle)
        efficiency = {**PROTOCOLS[4], "labels_per_class": [1, 4], "steps": 2, "learning_rates": [0.001]}
        _, folder = evaluate("itself", protocols=["linear", efficiency], references=[("itself", copy)])
        told = report_of(folder)
        assert told["linear"]["references"]["copy"] == told["linear"]["pretrained"]
        assert told["references"][0]["labels_saved"] == told["labels_saved"]

    def test_of_the_other_kind_or_of_the_same_name_are_refused(self, evaluate, bundle: Path, video_bundle: Path, tmp_path: Path):
        with pytest.raises(UserError, match="is of videos"):
            evaluate("other", protocols=["knn"], references=[("clips", video_bundle)])
        with pytest.raises(UserError, match="different names"):
            evaluate("twice", protocols=["knn"], references=[("a", bundle), ("b", bundle)])


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
