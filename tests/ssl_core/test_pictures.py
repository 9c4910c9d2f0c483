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


def film(count: int = 2, frames: int = 4) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, frames, 32, 32, 3), np.uint8)


class TestMoving:
    def test_has_a_frame_for_each_moment_and_what_is_shorter_begins_anew(self, tmp_path: Path):
        levels = np.arange(4, dtype=np.uint8).reshape(1, 4, 1, 1, 1) * 60
        clip = np.broadcast_to(levels, (1, 4, 96, 96, 3))
        still = np.full((1, 96, 96, 3), 200, np.uint8)
        picture = Picture((Panel("clip", clip), Panel("short", clip[:, :2]), Panel("still", still)), ".")
        assert (picture.frames, picture.suffix) == (4, ".webp")
        size = save_picture(picture, tmp_path / "a.webp")
        seen = []
        with Image.open(tmp_path / "a.webp") as image:
            assert (image.format, image.size, image.n_frames, image.info["loop"]) == ("WEBP", size, 4, 0)
            for number in range(4):
                image.seek(number)
                pixels = np.asarray(image.convert("RGB")).astype(int)
                seen.append([int(pixels[top + 20 : top + 70, 140:200].mean()) for top in (6, 108, 210)])
        assert np.allclose(seen, [[0, 0, 200], [60, 60, 200], [120, 0, 200], [180, 60, 200]], atol=4)

    def test_the_same_picture_is_the_same_bytes(self, tmp_path: Path):
        for name in "ab":
            save_picture(Picture((Panel("clip", film(), ("1", "2")),), "."), tmp_path / name)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_nothing_moves_in_a_clip_of_one_frame(self):
        picture = Picture((Panel("clip", film(frames=1)),), ".")
        assert (picture.frames, picture.suffix) == (1, ".png")
