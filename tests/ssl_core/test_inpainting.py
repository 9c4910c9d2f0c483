import numpy as np
import pytest
import torch

from ssl_core.pretext.inpainting import InpaintingTask
from ssl_core.spec import SpecError
from tests.ssl_core.task_tools import batch_of, noise, shapes, spec_of, task_of


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return shapes(64, 32)


def task(images: np.ndarray, **settings: object) -> InpaintingTask:
    made = task_of(spec_of("inpainting", **settings), images)
    assert isinstance(made, InpaintingTask)
    return made


def asked(made: InpaintingTask, batch: torch.Tensor, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    with torch.no_grad():
        return made.ask(batch)


class TestLeaks:
    @pytest.mark.parametrize("region", ["center", "blocks", "free_form"])
    def test_what_is_hidden_does_not_change_the_answer(self, images: np.ndarray, region: str):
        made = task(images, region=region, crop="none", flip=False).eval()
        batch = batch_of(images, 8)
        question = asked(made, batch)
        other = torch.where(question["hidden"].bool(), noise(8, 32), batch)
        again = asked(made, other)
        assert torch.equal(again["hidden"], question["hidden"])
        assert not torch.equal(again["levels"], question["levels"])
        with torch.no_grad():
            assert torch.equal(made.filled(again), made.filled(question))

    def test_only_the_region_counts_in_the_loss(self, images: np.ndarray):
        made = task(images, crop="none", flip=False).eval()
        question = asked(made, batch_of(images, 8))
        elsewhere = {**question, "levels": question["levels"] + (1 - question["region"]) * torch.randn(8, 3, 32, 32)}
        inside = {**question, "levels": question["levels"] + question["hidden"]}
        with torch.no_grad():
            right, same, other = (made.answer(part)["loss"] for part in (question, elsewhere, inside))
        assert torch.equal(right, same)
        assert not torch.equal(right, other)

    def test_the_rim_is_shown_and_weighs_more(self, images: np.ndarray):
        made = task(images, region="center", crop="none", flip=False, overlap=1, overlap_weight=7).eval()
        question = asked(made, batch_of(images, 8))
        rim = question["region"] - question["hidden"]
        shown = (question["images"] * rim).abs().sum((1, 2, 3))
        assert (shown > 0).all()
        with torch.no_grad():
            error = (made.filled(question) - question["levels"]).square().mean(1, keepdim=True)
            weights = question["hidden"] + 7 * rim
            assert made.answer(question)["loss"] == pytest.approx(float((error * weights).sum() / weights.sum()), rel=1e-5)


class TestPlayers:
    def test_each_learns_by_its_own_loss_alone(self, images: np.ndarray):
        made = task(images, _optimizer={"warmup": 0}).train()
        painter, critic = made.optimizers()
        question = asked(made, batch_of(images, 8))
        before = {name: value.clone() for name, value in made.named_parameters()}
        made.training_step(question, [Still(painter), critic])
        moved = {name.split(".")[0] for name, value in made.named_parameters() if not torch.equal(value, before[name])}
        assert moved == {"critic"}
        before = {name: value.clone() for name, value in made.named_parameters()}
        made.training_step(question, [painter, Still(critic)])
        moved = {name.split(".")[0] for name, value in made.named_parameters() if not torch.equal(value, before[name])}
        assert moved == {"encoder", "decoder"}

    def test_without_its_share_there_is_no_critic(self, images: np.ndarray):
        made = task(images, adversarial=0).train()
        assert made.critic is None
        assert len(made.optimizers()) == 1
        assert set(made.training_step(asked(made, batch_of(images, 8)), made.optimizers())) == {"loss", "psnr"}

    def test_the_critic_tells_noise_from_images(self, images: np.ndarray):
        made = task(images, adversarial=1, _optimizer={"learning_rate": 0.003, "warmup": 0}, critic_rate=1).train()
        painter, critic = made.optimizers()
        for step in range(30):
            told = made.training_step(asked(made, batch_of(images, 32), step), [Still(painter), critic])
        assert told["critic_accuracy"] > 0.8


class TestLearning:
    def test_it_fills_in_better_than_at_first(self, images: np.ndarray):
        made = task(images, _optimizer={"learning_rate": 0.003, "warmup": 0}).train()
        optimizers = made.optimizers()
        ratios = [made.training_step(asked(made, batch_of(images, 64), step), optimizers)["psnr"] for step in range(40)]
        assert sum(ratios[-5:]) / 5 > ratios[0] + 3


class TestRefusals:
    def test_a_rim_that_leaves_nothing_hidden(self):
        with pytest.raises(SpecError) as caught:
            spec_of("inpainting", overlap=8)
        assert caught.value.param == "task.overlap"
        assert "choose at most 2" in str(caught.value)


class Still:
    """An optimizer that leaves the weights as they are."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.zero_grad = optimizer.zero_grad

    def step(self) -> None: ...
