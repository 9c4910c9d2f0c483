import io
import json
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file

from launcher.shapes import generate, write_zip
from ssl_core import checkpoint
from ssl_core.embed import embed, load_encoder, untrained_encoder
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.evaluate.knn import knn_accuracy
from ssl_core.events import TextEvents
from ssl_core.ingest import run_ingest
from ssl_core.pretrain import run_pretrain
from ssl_core.process import StopRequest

IMAGES = 160
FILES = {"config.json", "curves.png", "encoder.onnx", "encoder.pt2", "encoder.safetensors"}


class Recorder:
    """Keeps events; stops the run at a step if told to."""

    def __init__(self, stop: StopRequest, stop_at: int | None = None) -> None:
        self.events: list[dict] = []
        self._stop, self._stop_at = stop, stop_at

    def emit(self, type_: str, **fields: object) -> None:
        self.events.append({"type": type_, **json.loads(json.dumps(fields))})
        if type_ == "metrics" and fields["step"] == self._stop_at:
            self._stop.set()

    def of(self, type_: str) -> list[dict]:
        return [event for event in self.events if event["type"] == type_]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    images, _, _ = generate(count=IMAGES, seed=0, size=32)
    write_zip(folder / "shapes.zip", images)
    run_ingest(folder / "shapes.zip", folder / "shards", TextEvents(io.StringIO()), StopRequest())
    return folder / "shards"


@pytest.fixture
def run(tmp_path: Path, data: Path):
    def run(
        name: str, *, stop_at: int | None = None, resume: Path | None = None, weights: Path | None = None, **asked: object
    ) -> Recorder:
        spec = {"task": {"name": "rotation"}, "encoder": {"name": "tiny"}, "steps": 12, "batch_size": 32, "formats": [], **asked}
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(spec))
        stop = StopRequest()
        recorder = Recorder(stop, stop_at)
        run_pretrain(
            path,
            data=data,
            out=tmp_path / name,
            cache=tmp_path / "cache",
            cache_bytes=1 << 30,
            dataset_key=None,
            weights=weights,
            resume=resume,
            checkpoint_seconds=1000,
            events=recorder,
            stop=stop,
        )
        return recorder

    return run


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


class TestRun:
    def test_tells_everything_and_makes_a_bundle(self, run, tmp_path: Path):
        recorder = run("a", formats=["pt2", "onnx"])
        assert recorder.of("environment")[0]["device"] == "cpu"
        assert [metric["step"] for metric in recorder.of("metrics")] == list(range(1, 13))
        progress = recorder.of("progress")[-1]
        assert (progress["phase"], progress["step"], progress["epochs"]) == ("export", 12, 3)
        (result,) = recorder.of("result")
        assert {path.name for path in Path(result["bundle"]).iterdir()} == {"README.md", "SHA256SUMS", *FILES}

    def test_the_same_spec_gives_the_same_bytes_and_another_seed_others(self, run, tmp_path: Path):
        for name, seed in (("a", 0), ("b", 0), ("c", 1)):
            run(name, steps=3, seed=seed)
        a, b, c = (digest(tmp_path / name / "bundle" / "encoder.safetensors") for name in "abc")
        assert a == b != c

    @pytest.mark.parametrize(("encoder", "optimizer"), [("tiny", "sgd"), ("tiny", "adamw"), ("alexnet", "sgd")])
    def test_stopped_and_resumed_it_ends_with_the_same_bytes(self, run, tmp_path: Path, encoder: str, optimizer: str):
        more = {"optimizer": {"name": optimizer}, "encoder": {"name": encoder}, "batch_size": 8, "steps": 7}
        run("whole", **more)
        with pytest.raises(InterruptedRun):
            run("parts", stop_at=3, **more)
        resumed = run("parts", **more)
        assert any("resumed from the checkpoint of step 3" in event["message"] for event in resumed.of("log"))
        assert [metric["step"] for metric in resumed.of("metrics")] == [4, 5, 6, 7]
        assert digest(tmp_path / "whole/bundle/encoder.safetensors") == digest(tmp_path / "parts/bundle/encoder.safetensors")

    def test_so_do_all_files_without_times_in_them(self, run, tmp_path: Path):
        more = {"batch_size": 8, "steps": 7, "formats": ["onnx", "pt2"]}
        run("whole", **more)
        with pytest.raises(InterruptedRun):
            run("parts", stop_at=3, **{**more, "formats": []})  # what is exported is no matter of the training
        run("parts", **more)
        whole, parts = ({path.name: digest(path) for path in (tmp_path / name / "bundle").iterdir()} for name in ("whole", "parts"))
        assert {name for name in whole if whole[name] == parts[name]} >= FILES - {"config.json"}
        histories = [
            json.loads((tmp_path / name / "bundle/config.json").read_text())["training"]["history"] for name in ("whole", "parts")
        ]
        assert histories[0] == histories[1]
        assert histories[0]["step"] == [1, 2, 3, 4, 5, 6, 7]

    def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(self, run, tmp_path: Path):
        run("whole", steps=6)
        for stop_at in (2, 4):
            with pytest.raises(InterruptedRun):
                run("parts", steps=6, stop_at=stop_at)
        newest, before = checkpoint.newest_first(tmp_path / "parts" / "checkpoints")
        newest.write_bytes(newest.read_bytes()[:1000])
        resumed = run("parts", steps=6)
        assert "damaged" in resumed.of("log")[0]["message"]
        assert [metric["step"] for metric in resumed.of("metrics")] == [3, 4, 5, 6]
        assert before.exists()
        assert digest(tmp_path / "whole/bundle/encoder.safetensors") == digest(tmp_path / "parts/bundle/encoder.safetensors")

    def test_it_goes_on_from_the_checkpoint_that_is_named(self, run, tmp_path: Path):
        with pytest.raises(InterruptedRun):
            run("a", steps=6, stop_at=3)
        (named,) = checkpoint.newest_first(tmp_path / "a" / "checkpoints")
        resumed = run("b", steps=6, resume=named)
        assert [metric["step"] for metric in resumed.of("metrics")] == [4, 5, 6]
        named.write_bytes(b"")
        with pytest.raises(UserError) as caught:
            run("b", steps=6, resume=named)
        assert caught.value.code == "damaged_checkpoint"

    def test_a_folder_of_another_training_is_not_trained_into(self, run, tmp_path: Path):
        with pytest.raises(InterruptedRun):
            run("a", steps=6, stop_at=3)
        with pytest.raises(UserError, match="another epochs, steps, optimizer") as caught:
            run("a", steps=60)
        assert caught.value.code == "other_checkpoint"

    def test_a_killed_process_can_be_started_again(self, run, tmp_path: Path, data: Path):
        spec = {"task": {"name": "rotation"}, "encoder": {"name": "tiny"}, "steps": 25, "batch_size": 16, "formats": []}
        run("whole", **spec)
        (tmp_path / "s.json").write_text(json.dumps(spec))
        command = [sys.executable, "-m", "ssl_core", "pretrain", str(tmp_path / "s.json"), "--data", str(data)]
        command += ["--out", str(tmp_path / "killed"), "--cache", str(tmp_path / "cache"), "--checkpoint-seconds", "0.5"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while not checkpoint.newest_first(tmp_path / "killed" / "checkpoints"):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "resumed from the checkpoint" in ended.stderr
        assert digest(tmp_path / "whole/bundle/encoder.safetensors") == digest(tmp_path / "killed/bundle/encoder.safetensors")


class TestWarmStart:
    def test_begins_with_the_weights_that_are_given(self, run, tmp_path: Path):
        run("first", steps=6)
        weights = tmp_path / "first/bundle/encoder.safetensors"
        recorder = run("second", steps=1, seed=5, weights=weights, init_from="model_1", optimizer={"learning_rate": 1e-30})
        assert any("begins with the weights" in event["message"] for event in recorder.of("log"))
        first, second = (load_file(tmp_path / name / "bundle" / "encoder.safetensors") for name in ("first", "second"))
        assert all(torch.equal(first[name], second[name]) for name in first if "running" not in name and "num" not in name)

    def test_stopped_and_resumed_it_ends_with_the_same_bytes(self, run, tmp_path: Path):
        run("first", steps=4)
        more = {"steps": 7, "seed": 1, "weights": tmp_path / "first/bundle/encoder.safetensors", "init_from": "model_1"}
        run("whole", **more)
        with pytest.raises(InterruptedRun):
            run("parts", stop_at=3, **more)
        assert any("resumed" in event["message"] for event in run("parts", **more).of("log"))
        run("cold", steps=7, seed=1)
        whole, parts, cold = (digest(tmp_path / name / "bundle/encoder.safetensors") for name in ("whole", "parts", "cold"))
        assert whole == parts != cold

    def test_does_not_begin_at_random_where_weights_were_asked_for(self, run):
        with pytest.raises(UserError, match="--weights") as caught:
            run("a", init_from="model_1")
        assert caught.value.code == "weights_needed"


class TestLearning:
    def test_it_learns_to_tell_rotations(self, run):
        metrics = run("a", steps=50, batch_size=64, seed=3).of("metrics")
        accuracy = np.mean([metric["values"]["accuracy"] for metric in metrics[-10:]])
        assert accuracy > 0.35  # chance is 0.25, with a standard error of 0.009


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "code", "says"),
        [
            ({"batch_size": IMAGES + 1}, "invalid_spec", f"the dataset has {IMAGES} images"),
            ({"device": "cuda"}, "no_gpu", "no GPU"),
            ({"task": {"name": "jigsow"}}, "invalid_spec", "task.name: Input tag 'jigsow'"),
            ({"task": {"name": "jigsaw", "tiles": 3}}, "invalid_spec", "task.tiles: Extra inputs are not permitted"),
            ({"steps": 0, "colour": 1}, "invalid_spec", "colour: Extra inputs are not permitted"),
            (
                {"optimizer": {"learning_rate": 100, "warmup": 0, "schedule": "constant", "weight_decay": 1}, "steps": 60},
                "diverged",
                "learning_rate 25",
            ),
        ],
    )
    def test_say_what_to_change(self, run, change: dict, code: str, says: str):
        if change.get("device") == "cuda" and torch.cuda.is_available():
            pytest.skip("there is a GPU here")
        with pytest.raises(UserError) as caught:
            run("a", **change)
        assert caught.value.code == code
        assert says in str(caught.value)


class TestConcerns:
    @pytest.fixture
    def shown(self, tmp_path: Path):
        """Trains on pictures after something was done to them."""

        def train(change, **task: object) -> Recorder:
            folder = tmp_path / "pictures"
            folder.mkdir()
            for number, image in enumerate(generate(count=64, seed=0, size=32)[0]):
                change(Image.fromarray(image)).save(folder / f"{number}.png")
            spec = {"task": task, "encoder": {"name": "tiny"}, "steps": 3, "batch_size": 16, "formats": []}
            (tmp_path / "spec.json").write_text(json.dumps(spec))
            stop = StopRequest()
            recorder = Recorder(stop)
            run_pretrain(
                tmp_path / "spec.json",
                data=folder,
                out=tmp_path / "out",
                cache=tmp_path / "cache",
                cache_bytes=1 << 30,
                dataset_key=None,
                resume=None,
                checkpoint_seconds=1000,
                events=recorder,
                stop=stop,
            )
            return recorder

        return train

    def test_colorization_of_grey_images_is_refused_before_it_begins(self, shown, tmp_path: Path):
        with pytest.raises(UserError) as caught:
            shown(lambda image: image.convert("L"), name="colorization")
        assert caught.value.code == "unsuitable_data"
        assert "100% of the images are grey" in str(caught.value)
        assert "rotation" in str(caught.value)
        assert not (tmp_path / "out" / "pictures").exists()

    def test_borders_are_warned_of(self, shown):
        recorder = shown(lambda image: ImageOps.expand(image.crop((0, 0, 32, 28)), (0, 4, 0, 0), "black"), name="rotation")
        (warning,) = [event["message"] for event in recorder.of("log") if event["level"] == "warning"]
        assert "even border" in warning
        assert "bundle" in recorder.of("result")[-1]

    def test_good_images_are_not(self, shown):
        assert [event for event in shown(lambda image: image, name="rotation").of("log") if event["level"] == "warning"] == []


class TestBundle:
    @pytest.mark.parametrize(
        ("encoder", "stem", "size"),
        [("tiny", "standard", 32), ("resnet18", "small", 32), ("mobilenet_v3_small", "standard", 32), ("alexnet", "standard", 64)],
    )
    def test_the_code_on_the_card_runs_next_to_the_files(self, run, tmp_path: Path, encoder: str, stem: str, size: int):
        run("a", encoder={"name": encoder, "stem": stem}, image_size=size, steps=1, batch_size=4)
        bundle = tmp_path / "a" / "bundle"
        code = (bundle / "README.md").read_text().split("```python\n")[1].split("```")[0]
        prelude = (
            "from ssl_core.vision import torchvision_models; torchvision_models()\n"  # as torchvision needs beside a CPU build
        )
        code = prelude + code + "\nprint(tuple(features.shape))"
        ended = subprocess.run([sys.executable, "-c", code], cwd=bundle, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        config = json.loads((bundle / "config.json").read_text())
        assert ended.stdout.strip() == str((1, config["features"]))

    def test_gives_the_features_that_were_trained(self, run, tmp_path: Path):
        run("a", steps=20)
        encoder, config = load_encoder(tmp_path / "a" / "bundle")
        images, labels, _ = generate(count=IMAGES, seed=0, size=32)
        features = embed(encoder, images, batch_size=50)
        assert features.shape == (IMAGES, config["features"])
        assert np.allclose(features, embed(encoder, images), atol=1e-4)
        assert not np.allclose(features, embed(untrained_encoder(config), images), atol=1e-2)
        assert 0 <= knn_accuracy(features, labels) <= 1
