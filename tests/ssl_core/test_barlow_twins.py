import numpy as np
import pytest
import torch

from ssl_core.pretext.barlow_twins import BarlowTwinsTask, standardized
from tests.ssl_core.task_tools import shapes, spec_of, task_of


@pytest.fixture
def task() -> BarlowTwinsTask:
    made = task_of(spec_of("barlow_twins", projection=64), shapes(8, 32))
    assert isinstance(made, BarlowTwinsTask)
    return made


def answer(task: BarlowTwinsTask, one: torch.Tensor, other: torch.Tensor) -> dict[str, torch.Tensor]:
    """What it says of projections (B, 64) of both views."""
    task.encoder, task.head = torch.nn.Identity(), torch.nn.Identity()
    with torch.no_grad():
        return task.answer({"views": torch.cat([one, other])})


class TestLoss:
    def test_is_the_paper_s(self, task: BarlowTwinsTask):
        one, other = torch.randn(2, 200, 64, generator=torch.Generator().manual_seed(0))
        told = answer(task, one, other)
        correlations = np.corrcoef(one.numpy().T, other.numpy().T)[:64, 64:]
        itself = np.diag(correlations)
        between = (correlations**2).sum() - (itself**2).sum()
        wanted = (((1 - itself) ** 2).sum() + task.settings.redundancy * between) / 64
        assert float(told["loss"]) == pytest.approx(wanted, rel=1e-3)
        assert float(told["invariance"]) == pytest.approx(itself.mean(), abs=1e-4)

    def test_is_nothing_for_equal_views_of_independent_features(self, task: BarlowTwinsTask):
        independent, _ = torch.linalg.qr(torch.randn(400, 65, generator=torch.Generator().manual_seed(0)))
        independent = independent[:, 1:] - independent[:, 1:].mean(0)
        independent, _ = torch.linalg.qr(independent)
        told = answer(task, 100 * independent, 100 * independent)
        assert told["loss"] < 1e-3
        assert float(told["invariance"]) == pytest.approx(1, abs=1e-3)
        assert told["redundancy"] < 0.03

    def test_constant_features_are_no_trap(self, task: BarlowTwinsTask):
        told = answer(task, torch.ones(32, 64), torch.ones(32, 64))
        assert all(value.isfinite() for value in told.values())
        assert float(told["loss"]) == pytest.approx(1, abs=1e-3)

    def test_equal_features_are_told_from_independent_ones(self, task: BarlowTwinsTask):
        same = torch.randn(100, 1, generator=torch.Generator().manual_seed(0)).expand(-1, 64)
        assert float(answer(task, same, same)["redundancy"]) == pytest.approx(1, abs=1e-3)


class TestStandardized:
    def test_each_column_has_mean_0_and_deviation_1(self):
        values = standardized(torch.randn(500, 7) * 5 + 3)
        assert torch.allclose(values.mean(0), torch.zeros(7), atol=1e-4)
        assert torch.allclose(values.std(0, correction=0), torch.ones(7), atol=1e-3)
