import pytest
import torch

from ssl_core.color import lab, lightness, srgb


class TestLab:
    @pytest.mark.parametrize(
        ("levels", "wanted"),
        [
            ((255, 255, 255), (100, 0, 0)),
            ((0, 0, 0), (0, 0, 0)),
            ((255, 0, 0), (53.24, 80.09, 67.20)),
            ((0, 255, 0), (87.73, -86.18, 83.18)),
            ((0, 0, 255), (32.30, 79.19, -107.86)),
            ((119, 119, 119), (50.03, 0, 0)),
        ],
    )
    def test_has_the_published_values(self, levels: tuple[int, ...], wanted: tuple[float, ...]):
        found = lab(torch.tensor(levels, dtype=torch.uint8).view(1, 3, 1, 1)).flatten().tolist()
        assert found == pytest.approx(wanted, abs=0.05)

    def test_there_and_back(self):
        levels = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        assert (srgb(lab(levels)) - levels).abs().max() < 0.1


class TestLightness:
    def test_is_the_first_channel_of_lab_as_a_grey_image(self):
        levels = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        light = lightness(levels)
        assert light.shape == levels.shape
        assert torch.allclose(light, (2.55 * lab(levels)[:, :1]).expand(-1, 3, -1, -1), atol=1e-3)

    def test_grows_with_the_level_of_grey(self):
        ramp = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, -1).expand(1, 3, 1, 256)
        light = lightness(ramp)[0, 0, 0]
        assert (light.diff() > 0).all()
        assert (float(light[0]), float(light[-1])) == pytest.approx((0, 255), abs=0.01)
