import io

import numpy as np
import pytest
from PIL import Image

from ssl_core.evaluate.duplicates import find_twins


def pictures(count: int, side: int = 48, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, as different as photographs."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in coarse])


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(image: np.ndarray) -> np.ndarray:
    side = len(image)
    return np.asarray(Image.fromarray(image).resize((side // 2, side // 2)).resize((side, side)))


class TestFindTwins:
    @pytest.mark.parametrize(
        ("change", "exact"),
        [
            (lambda image: image, True),
            (lambda image: jpeg(image, 60), False),
            (lambda image: np.clip(image * 0.85 + 20, 0, 255).astype(np.uint8), False),
            (resized, False),
            (lambda image: image[:, ::-1], False),
        ],
        ids=["copy", "jpeg", "brightness", "resized", "mirrored"],
    )
    def test_finds_the_same_picture(self, change, exact):
        train, test = pictures(300), pictures(40, seed=1)
        test[[3, 17]] = change(train[120]), change(train[5])
        found = find_twins(train, test)
        assert [(one.test, one.train, one.exact) for one in found] == [(3, 120, exact), (17, 5, exact)]

    def test_lets_different_pictures_be(self):
        assert find_twins(pictures(800), pictures(400, seed=1)) == []

    def test_finds_it_among_many(self):
        test = pictures(100, seed=1)
        train = np.concatenate([pictures(500), test])
        assert {(one.test, one.train) for one in find_twins(train, test)} >= {(place, 500 + place) for place in range(100)}

    def test_plain_pictures_are_alike_if_they_are_as_bright(self):
        train = np.stack([np.full((32, 32, 3), level, np.uint8) for level in (10, 100, 200)])
        assert [(one.test, one.train) for one in find_twins(train, train[1:2])] == [(0, 1)]
        assert find_twins(np.repeat(train, 2000, 0), train[:1] + 40) == []

    def test_of_nothing_there_is_nothing(self):
        assert find_twins(pictures(1)[:0], pictures(2)) == []
