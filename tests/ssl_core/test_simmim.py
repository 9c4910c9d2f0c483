import numpy as np
import pytest
import torch

from ssl_core.pretext.simmim import SimMIMTask
from tests.ssl_core.task_tools import batch_of, noise, shapes, spec_of, task_of


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return shapes(64, 32)


def task(images: np.ndarray, **settings: object) -> SimMIMTask:
    made = task_of(spec_of("simmim", crop="none", flip=False, **settings), images)
    assert isinstance(made, SimMIMTask)
    return made


def asked(made: SimMIMTask, batch: torch.Tensor, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    with torch.no_grad():
        return made.ask(batch)


class TestLeaks:
    def test_what_is_hidden_does_not_change_the_answer(self, images: np.ndarray):
        made = task(images).eval()
        batch = batch_of(images, 8)
        question = asked(made, batch)
        again = asked(made, torch.where(question["hidden"].bool(), noise(8, 32), batch))
        assert torch.equal(again["hidden"], question["hidden"])
        with torch.no_grad():
            assert torch.equal(made._answers(again), made._answers(question))

    def test_what_is_shown_does_not_count(self, images: np.ndarray):
        made = task(images, normalize=False).eval()
        question = asked(made, batch_of(images, 8))
        elsewhere = {**question, "levels": question["levels"] + (1 - question["hidden"]) * torch.rand(8, 3, 32, 32)}
        inside = {**question, "levels": question["levels"] + question["hidden"]}
        with torch.no_grad():
            right, same, other = (made.answer(part)["loss"] for part in (question, elsewhere, inside))
        assert torch.equal(right, same)
        assert not torch.equal(right, other)


class TestSquares:
    @pytest.mark.parametrize("hidden", [0.3, 0.6, 0.9])
    def test_as_many_are_hidden_in_each_image_as_was_asked(self, images: np.ndarray, hidden: float):
        made = task(images, hidden=hidden)
        squares = asked(made, batch_of(images, 32))["hidden"].view(32, made.grid, made.unit, made.grid, made.unit)
        assert (squares == squares[:, :, :1, :, :1]).all()
        counts = squares[:, :, 0, :, 0].sum((1, 2))
        assert (counts == round(hidden * made.grid**2)).all()

    def test_others_in_each_image_and_step(self, images: np.ndarray):
        made = task(images)
        masks = torch.cat([asked(made, batch_of(images, 32), seed)["hidden"] for seed in range(3)])
        assert len({mask.numpy().tobytes() for mask in masks}) > 90


class TestLoss:
    def test_answering_each_square_s_mean_has_about_four_fifths(self, images: np.ndarray):
        made = task(images).eval()
        made._answers = lambda question: torch.zeros_like(question["levels"])
        loss = made.answer(asked(made, noise(64, 32)))["loss"]
        assert float(loss) == pytest.approx(0.86, abs=0.03)  # the mean absolute deviation of even noise

    def test_of_the_right_answer_is_nothing(self, images: np.ndarray):
        made = task(images, normalize=False).eval()
        made._answers = lambda question: question["levels"]
        told = made.answer(asked(made, batch_of(images, 8)))
        assert told["loss"] == 0
        assert float(told["psnr"]) == pytest.approx(100)
