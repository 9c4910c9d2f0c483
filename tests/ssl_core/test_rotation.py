import math

import numpy as np
import pytest
import torch

from ssl_core.augment import quarter_turns
from ssl_core.encoders import build_encoder
from ssl_core.pretext import build_task
from ssl_core.pretext.rotation import RotationTask
from ssl_core.spec import DatasetFacts, PretrainSpec, ResolvedPretrain, resolve
from tests.ssl_core import task_tools
from tests.ssl_core.task_tools import shapes


def spec_of(**task: object) -> ResolvedPretrain:
    asked = PretrainSpec.model_validate(
        {"task": {"name": "rotation", **task}, "encoder": {"name": "tiny"}, "image_size": 16, "steps": 5}
    )
    return resolve(asked, DatasetFacts(images=100, median_side=16))


def task_of(**task: object) -> RotationTask:
    torch.manual_seed(0)
    spec = spec_of(**task)
    built = build_task(spec, build_encoder(spec.encoder, spec.image_size))
    assert isinstance(built, RotationTask)
    return built


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (6, 16, 16, 3), dtype=torch.uint8).permute(0, 3, 1, 2)


class TestRotated:
    def test_all_four_are_turns_of_one_crop(self, images: torch.Tensor):
        turned, turns = task_of(rotations="all").rotated(images)
        assert turned.shape == (24, 3, 16, 16)
        assert turns.tolist() == [number for number in range(4) for _ in range(6)]
        for number in range(4):
            assert torch.equal(quarter_turns(turned[6 * number : 6 * number + 6], 4 - number), turned[:6])

    def test_one_is_drawn_for_each(self, images: torch.Tensor):
        turned, turns = task_of(rotations="one", crop="none", flip=False).rotated(images.repeat(50, 1, 1, 1))
        assert turned.shape == (300, 3, 16, 16)
        assert set(turns.tolist()) == {0, 1, 2, 3}
        for number in (0, 7, 100):
            assert torch.equal(quarter_turns(turned[number : number + 1], 4 - int(turns[number]))[0], images[number % 6])

    def test_mirroring_comes_first_so_that_90_and_270_stay_apart(self):
        # An image that is its own mirror image: mirrored afterwards, its 90 degrees would be its 270.
        half = torch.randint(0, 256, (1, 3, 16, 8), dtype=torch.uint8)
        symmetric = torch.cat([half, half.flip(3)], 3)
        seen: dict[int, set[bytes]] = {1: set(), 3: set()}
        for seed in range(8):
            torch.manual_seed(seed)
            turned, turns = task_of(rotations="all", crop="none", flip=True).rotated(symmetric)
            for number, found in seen.items():
                found.add(turned[turns == number].numpy().tobytes())
        assert not seen[1] & seen[3]

    def test_no_border_is_marked(self):
        white = torch.full((8, 3, 16, 16), 255, dtype=torch.uint8)
        for crop in ("pad", "resized"):
            turned, _ = task_of(crop=crop).rotated(white)
            assert (turned == 255).all()


class TestForward:
    def test_on_noise_it_can_only_guess(self):
        task = task_of(crop="pad", crop_padding=2)
        (optimizer,) = task.optimizers()
        accuracies = []
        for _ in range(15):
            fresh = torch.randint(0, 256, (32, 16, 16, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
            accuracies.append(task.training_step(task.ask(fresh), [optimizer])["accuracy"].item())
        assert 0.18 < sum(accuracies[5:]) / 10 < 0.32

    def test_a_network_at_its_start_is_about_as_good_as_guessing(self, images: torch.Tensor):
        metrics = task_of()(images)
        assert metrics["loss"].item() == pytest.approx(1.386, abs=0.5)
        assert all(value.ndim == 0 for value in metrics.values())


def without_up(count: int) -> np.ndarray:
    """Pictures whose phases are scrambled and whose spectrum is the same in all four directions: nothing in them has an up."""
    generator = np.random.default_rng(0)
    pictures = shapes(200, 40).astype(np.float64)
    strength = np.abs(np.fft.fft2(pictures - pictures.mean(), axes=(1, 2))).mean(0)
    strength = (strength + strength.transpose(1, 0, 2)) / 2
    noise = generator.normal(size=(count, 40, 40, 3))
    phases = np.fft.fft2(noise, axes=(1, 2))
    scrambled = np.fft.ifft2(strength * phases / np.abs(phases), axes=(1, 2)).real
    return np.clip(128 + 50 * scrambled / scrambled.std(), 0, 255).astype(np.uint8)


def learned(images: np.ndarray, steps: int = 60, **settings: object) -> float:
    """Accuracy on images that were not trained on, 300 of them."""
    spec = task_tools.spec_of("rotation", _optimizer={"warmup": 0}, _steps=steps, **settings)
    side = spec.task.decode_size(32)
    task = task_tools.task_of(spec).train()
    (optimizer,) = task.optimizers()
    data = torch.from_numpy(np.ascontiguousarray(images[:, :side, :side])).permute(0, 3, 1, 2)
    for step in range(steps):
        torch.manual_seed(step)
        with torch.no_grad():
            question = task.ask(data[torch.randperm(len(data) - 300)[:32]])
        task.training_step(question, [optimizer])
    torch.manual_seed(0)
    with torch.no_grad():  # batch norm as in training, or a few steps would say nothing
        return float(task.answer(task.ask(data[-300:]))["accuracy"])


class TestCheats:
    CHANCE = 0.25 + 4 * math.sqrt(0.25 * 0.75 / 300)

    @pytest.mark.parametrize("crop", ["pad", "resized", "none"])
    def test_where_nothing_has_an_up_it_guesses(self, crop: str):
        assert learned(without_up(1300), crop=crop) < self.CHANCE

    def test_a_mark_on_one_side_would_be_found(self):
        marked = without_up(1300)
        marked[:, :2] = 0
        assert learned(marked, crop="none", flip=False) > 0.8

    def test_the_frame_alone_tells_nothing(self, monkeypatch: pytest.MonkeyPatch):
        as_input = RotationTask.as_input

        def framed(task: RotationTask, images: torch.Tensor) -> torch.Tensor:
            shown = as_input(task, images)
            shown[:, :, 2:-2, 2:-2] = 0
            return shown

        monkeypatch.setattr(RotationTask, "as_input", framed)
        assert learned(without_up(1300), crop="pad") < self.CHANCE
        assert learned(without_up(1300), crop="resized") < self.CHANCE
