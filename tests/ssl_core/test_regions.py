import pytest
import torch

from ssl_core.pretext.regions import draw_regions, shrunk, smoothly_filled

CPU = torch.device("cpu")


class TestRegions:
    @pytest.mark.parametrize("kind", ["center", "blocks", "free_form"])
    @pytest.mark.parametrize("side", [32, 96, 224])
    @pytest.mark.parametrize("hidden", [0.1, 0.25, 0.5])
    def test_hide_the_share_that_was_asked_for(self, kind: str, side: int, hidden: float):
        torch.manual_seed(0)
        mask = draw_regions(kind, 200, side, hidden, CPU)
        assert mask.shape == (200, 1, side, side)
        assert set(mask.unique().tolist()) == {0.0, 1.0}
        assert float(mask.mean()) == pytest.approx(hidden, rel=0.15)

    @pytest.mark.parametrize("kind", ["blocks", "free_form"])
    def test_are_drawn_for_each_image_and_fall_anywhere(self, kind: str):
        torch.manual_seed(0)
        mask = draw_regions(kind, 400, 32, 0.25, CPU)
        assert len({row.numpy().tobytes() for row in mask}) > 390
        often = mask.mean(0)[0]
        assert float(often.min()) > 0
        assert float(often.max()) < 0.6

    def test_the_center_is_a_square_in_the_middle(self):
        (mask,) = draw_regions("center", 1, 32, 0.25, CPU)
        assert mask[0, 8:24, 8:24].all()
        assert mask.sum() == 256


class TestShrunk:
    def test_takes_a_rim_off(self):
        mask = torch.zeros(1, 1, 12, 12)
        mask[:, :, 3:9, 4:10] = 1
        inner = shrunk(mask, 2)
        assert inner[0, 0, 5:7, 6:8].all()
        assert inner.sum() == 4
        assert torch.equal(shrunk(mask, 0), mask)

    def test_leaves_the_image_s_border_alone(self):
        mask = torch.zeros(1, 1, 12, 12)
        mask[:, :, :, :6] = 1
        assert torch.equal(shrunk(mask, 2)[0, 0, :, :4], torch.ones(12, 4))


class TestSmoothlyFilled:
    def test_knows_what_is_around_and_nothing_else(self):
        torch.manual_seed(0)
        mask = draw_regions("blocks", 8, 32, 0.3, CPU)
        even = torch.full((8, 3, 32, 32), 7.0)
        filled = smoothly_filled(even * (1 - mask) + 100 * mask, mask)
        assert torch.allclose(filled, even, atol=1e-4)

    def test_continues_a_gradient_roughly(self):
        ramp = torch.arange(32.0).expand(1, 3, 32, 32)
        mask = draw_regions("center", 1, 32, 0.25, CPU)
        error = (smoothly_filled(ramp, mask) - ramp).abs()
        assert float(error.max()) < 6
        assert torch.equal(error * (1 - mask), torch.zeros_like(error))
