import pytest
import torch

from ssl_core.augment import quarter_turns
from ssl_core.encoders import build_encoder
from ssl_core.pretext import build_task
from ssl_core.pretext.rotation import RotationTask
from ssl_core.spec import DatasetFacts, PretrainSpec, ResolvedPretrain, resolve


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
