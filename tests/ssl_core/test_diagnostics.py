import math

import pytest
import torch

from ssl_core.evaluate.diagnostics import alignment, alpha_req, feature_std, rankme, uniformity


def with_spectrum(values: torch.Tensor, rows: int = 400) -> torch.Tensor:
    """A matrix with these singular values."""
    generator = torch.Generator().manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(rows, len(values), generator=generator, dtype=torch.float64))
    right, _ = torch.linalg.qr(torch.randn(len(values), len(values), generator=generator, dtype=torch.float64))
    return left @ torch.diag(values.double()) @ right


class TestRankMe:
    @pytest.mark.parametrize("rank", [1, 5, 64])
    def test_of_equal_values_is_their_number(self, rank: int):
        values = torch.cat([torch.full((rank,), 3.0), torch.zeros(64 - rank)])
        assert rankme(with_spectrum(values)) == pytest.approx(rank, rel=1e-3)

    def test_is_the_formula(self):
        values = torch.tensor([4.0, 2.0, 1.0, 1.0])
        shares = [0.5 + 1e-7, 0.25 + 1e-7, 0.125 + 1e-7, 0.125 + 1e-7]
        assert rankme(with_spectrum(values)) == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares)), rel=1e-6)

    def test_does_not_depend_on_scale_and_does_on_the_mean(self):
        features = torch.randn(300, 32, generator=torch.Generator().manual_seed(0))
        assert rankme(1000 * features) == pytest.approx(rankme(features))
        assert rankme(features + 100) < 0.5 * rankme(features)

    def test_of_nothing_is_one(self):
        assert rankme(torch.zeros(9, 4)) == 1


class TestAlphaReq:
    @pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
    def test_of_a_power_law_is_its_exponent(self, alpha: float):
        variances = torch.arange(1, 129, dtype=torch.float64) ** -alpha
        centred = with_spectrum(variances.sqrt())
        centred = torch.cat([centred, -centred])  # of mean zero
        assert alpha_req(centred) == pytest.approx(alpha, rel=1e-6)

    def test_wants_enough_ranks(self):
        assert alpha_req(torch.randn(100, 16)) is None


class TestSpread:
    def test_of_directions_in_all_ways_and_of_one(self):
        features = torch.randn(2000, 64, generator=torch.Generator().manual_seed(0))
        assert feature_std(features) == pytest.approx(1, abs=0.02)
        assert feature_std(features * torch.rand(2000, 1)) == pytest.approx(1, abs=0.02)
        assert feature_std(torch.ones(10, 64)) == pytest.approx(0, abs=1e-4)

    def test_uniformity_is_the_formula_over_pairs(self):
        features = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
        unit = features / features.norm(dim=1, keepdim=True)
        pairs = [math.exp(-2 * float((a - b).square().sum())) for i, a in enumerate(unit) for j, b in enumerate(unit) if i != j]
        assert uniformity(features) == pytest.approx(math.log(sum(pairs) / len(pairs)), rel=1e-4)
        assert uniformity(torch.ones(10, 3)) == pytest.approx(0, abs=1e-5)

    def test_alignment_of_opposites_is_four(self):
        features = torch.randn(10, 5)
        assert alignment(features, 3 * features) == pytest.approx(0, abs=1e-6)
        assert alignment(features, -features) == pytest.approx(4, rel=1e-5)
