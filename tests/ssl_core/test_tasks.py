"""What every registered pretext task has to do."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_core.errors import InterruptedRun
from ssl_core.pictures import save_picture
from ssl_core.pretext import TASK_MODULES
from ssl_core.spec import ENCODERS, TASKS, SpecError
from tests.ssl_core.task_tools import DiedError, batch_of, samples_of, spec_of, task_of, trained

pytestmark = pytest.mark.parametrize("name", TASKS)

DEFAULT_ENCODERS = {"image": "resnet18", "video": "r3d_18"}


@pytest.fixture
def images(name: str) -> np.ndarray:
    return samples_of(name, 48, 32)


class TestRegistry:
    def test_has_a_module_and_is_described(self, name: str):
        assert name in TASK_MODULES
        assert TASKS[name].summary
        assert TASKS[name].learns_from
        assert TASKS[name].paper.startswith("https://")


class TestSpec:
    @pytest.mark.parametrize("size", [32, 48, 64, 96, 128, 160, 192, 224])
    @pytest.mark.parametrize("images", [1_000, 5_000_000])
    def test_has_defaults_for_every_usual_size_and_amount(self, name: str, size: int, images: int):
        spec = spec_of(name, size=size, encoder=DEFAULT_ENCODERS[TASKS[name].modality], images=images, _batch_size="auto")
        assert "auto" not in spec.task.model_dump().values()
        assert spec.task.decode_size(size) >= size

    @pytest.mark.parametrize("encoder", ENCODERS)
    @pytest.mark.parametrize("size", [32, 64, 224])
    def test_an_encoder_runs_or_is_refused_with_a_reason(self, name: str, encoder: str, size: int):
        refused = None
        try:
            spec_of(name, size=size, encoder=encoder)
        except SpecError as error:
            refused = error.param
        assert refused in {None, "encoder.name", "image_size", "clip_frames"}
        if ENCODERS[encoder].modality == "video" and TASKS[name].modality == "image":
            assert refused == "encoder.name"


class TestQuestion:
    def test_same_images_get_draws_of_their_own(self, name: str, images: np.ndarray):
        task = task_of(spec_of(name), images)
        same = batch_of(np.repeat(images[:1], 8, 0), 8)
        with torch.no_grad():
            shown = max(task.ask(same).values(), key=torch.numel)
        rows = (
            shown.reshape(8, -1)
            if len(shown) % 8 == 0 and name not in {"rotation", "simclr", "barlow_twins"}
            else shown[:8].flatten(1)
        )
        assert len({row.numpy().tobytes() for row in rows}) >= 4

    def test_leaves_the_images_alone(self, name: str, images: np.ndarray):
        task, batch = task_of(spec_of(name), images), batch_of(images, 8).clone()
        before = batch.clone()
        with torch.no_grad():
            task.ask(batch)
            task.eval().picture(batch)
        assert torch.equal(batch, before)


class TestAnswer:
    def test_metrics_are_numbers_without_dimensions(self, name: str, images: np.ndarray):
        task = task_of(spec_of(name), images).train()
        with torch.no_grad():
            question = task.ask(batch_of(images, 8))
        metrics = task.training_step(question, task.optimizers())
        assert "loss" in metrics
        assert all(value.ndim == 0 and not value.requires_grad and value.isfinite() for value in metrics.values())

    def test_every_weight_of_the_encoder_learns(self, name: str, images: np.ndarray):
        task = task_of(spec_of(name, _optimizer={"warmup": 0}), images).train()
        before = {key: value.clone() for key, value in task.encoder.named_parameters()}
        with torch.no_grad():
            question = task.ask(batch_of(images, 8))
        task.training_step(question, task.optimizers())
        same = [key for key, value in task.encoder.named_parameters() if torch.equal(value, before[key])]
        assert not same

    def test_bf16_gives_finite_figures_and_keeps_the_weights_precise(self, name: str, images: np.ndarray, tmp_path: Path):
        ended, task, _ = trained(images, spec_of(name, _precision="bf16", _steps=2), tmp_path)
        assert all(math.isfinite(value) for value in ended.last.values())
        assert {value.dtype for value in task.state_dict().values() if value.is_floating_point()} == {torch.float32}

    @pytest.mark.parametrize(
        ("encoder", "size"), [("resnet18", 32), ("mobilenet_v3_small", 48), ("swin_t", 96), ("vit_b_16", 16), ("mc3_18", 32)]
    )
    def test_other_encoders_take_a_step(self, name: str, encoder: str, size: int):
        try:
            spec = spec_of(name, encoder=encoder, size=size)
        except SpecError:
            pytest.skip("refused, with a reason")
        count = 4 if TASKS[name].modality == "image" else 2
        images = samples_of(name, count, spec.task.decode_size(size))
        task = task_of(spec, images).train()
        with torch.no_grad():
            question = task.ask(batch_of(images, count))
        assert task.training_step(question, task.optimizers())["loss"].isfinite()


class TestPicture:
    def test_shows_the_images_and_is_the_same_each_time(self, name: str, images: np.ndarray, tmp_path: Path):
        task = task_of(spec_of(name), images).eval()
        sheets = []
        for file in ("a", "b"):
            torch.manual_seed(3)
            with torch.no_grad():
                picture = task.picture(batch_of(images, 8))
            assert picture.caption.endswith(".")
            width, height = save_picture(picture, tmp_path / file)
            assert min(width, height) >= 100
            sheets.append((tmp_path / file).read_bytes())
        assert sheets[0] == sheets[1]


def state(out: Path, images: np.ndarray, name: str, *, seed: int = 0, **ends: int) -> tuple:
    """Everything that a training leaves behind, as bytes and figures."""
    ended, task, recorder = trained(images, spec_of(name, _seed=seed), out, **ends)
    weights = {key: value.contiguous().numpy().tobytes() for key, value in task.state_dict().items()}
    pictures = {path.name: path.read_bytes() for path in sorted((out / "pictures").iterdir())}
    told = [
        (event["step"], {key: value for key, value in event["values"].items() if not key.endswith("_per_second")})
        for event in recorder.of("metrics")
    ]
    return weights, pictures, ended.first, ended.last, told


class TestExactness:
    @pytest.mark.parametrize("end", ["stop_at", "die_at"])
    def test_ended_anywhere_and_resumed_it_leaves_the_same_bytes(self, name: str, images: np.ndarray, tmp_path: Path, end: str):
        whole = state(tmp_path / "whole", images[:16], name)
        step = random.randint(1, 5)
        with pytest.raises(InterruptedRun if end == "stop_at" else DiedError):
            state(tmp_path / "parts", images[:16], name, **{end: step})
        parts = state(tmp_path / "parts", images[:16], name)
        assert parts[0] == whole[0], [key for key in whole[0] if whole[0][key] != parts[0][key]]
        assert parts[1] == whole[1]
        assert len(whole[1]) == 4  # before the training and after each of three epochs
        assert parts[2:4] == whole[2:4]
        assert parts[4] == whole[4][step if end == "stop_at" else step - 1 :], step

    def test_another_seed_gives_another_network(self, name: str, images: np.ndarray, tmp_path: Path):
        zero, again, one = (state(tmp_path / str(number), images[:16], name, seed=seed) for number, seed in enumerate((0, 0, 1)))
        assert zero == again
        assert zero[0] != one[0]
