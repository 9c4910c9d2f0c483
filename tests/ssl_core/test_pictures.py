from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_core.pictures import Panel, Picture, save_picture


def panel(count: int = 3, height: int = 32, width: int = 32, **more: object) -> Panel:
    images = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)
    return Panel("shown here", images, **more)


class TestSavePicture:
    def test_small_samples_are_enlarged_without_being_blurred(self, tmp_path: Path):
        shown = panel()
        size = save_picture(Picture((shown,), "."), tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as image:
            assert image.size == size
            pixels = np.asarray(image)
        assert np.array_equal(pixels[6 : 6 + 96, 120 : 120 + 96], shown.images[0].repeat(3, 0).repeat(3, 1))

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 40), (96, 96), (500, 500), (50, 300)])
    def test_any_size_can_be_drawn(self, height: int, width: int, tmp_path: Path):
        wide, tall = save_picture(Picture((panel(2, height, width), panel(8)), "."), tmp_path / "a.png")
        assert 100 < wide < 4000
        assert 100 < tall < 1000

    def test_right_and_wrong_have_their_colours(self, tmp_path: Path):
        save_picture(Picture((panel(2, notes=("yes", "no"), right=(True, False)),), "."), tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as image:
            pixels = np.asarray(image.convert("RGB")).astype(int)
        left, right = pixels[103:, 120:216], pixels[103:, 222:318]
        assert ((left[..., 1] - left[..., 0]) > 60).any()
        assert not ((left[..., 0] - left[..., 1]) > 60).any()
        assert ((right[..., 0] - right[..., 1]) > 60).any()

    def test_the_same_picture_is_the_same_bytes(self, tmp_path: Path):
        for name in "ab":
            save_picture(Picture((panel(notes=("1", "2", "3")),), "."), tmp_path / f"{name}.png")
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
