import io
import time
import zipfile
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from launcher.shapes import KINDS, _draw, generate, write_zip
from ssl_core.evaluate.knn import knn_accuracy


@pytest.fixture(scope="module")
def pictures():
    return generate(2000, seed=3)


class TestGenerate:
    def test_gives_ten_kinds_evenly(self, pictures):
        images, labels, names = pictures
        assert (images.shape, images.dtype, labels.dtype) == ((2000, 32, 32, 3), np.uint8, np.int64)
        assert len(set(names)) == 10
        assert np.bincount(labels).tolist() == [200] * 10

    def test_gives_the_same_for_a_seed_and_something_else_for_another(self):
        first, again, other = (generate(40, seed=seed) for seed in (1, 1, 2))
        assert np.array_equal(first[0], again[0])
        assert np.array_equal(first[1], again[1])
        assert not np.array_equal(first[0], other[0])

    @pytest.mark.parametrize(("count", "size"), [(1, 32), (7, 48), (13, 64), (0, 32)])
    def test_gives_any_number_of_any_size(self, count, size):
        images, labels, _ = generate(count, size=size)
        assert images.shape == (count, size, size, 3)
        assert labels.shape == (count,)

    def test_shows_something_on_every_picture(self, pictures):
        images, _, _ = pictures
        assert images.reshape(2000, -1).std(axis=1).min() > 5

    def test_is_quick(self):
        began = time.process_time()
        generate(500)
        assert time.process_time() - began < 3


def upright(name: str) -> np.ndarray:
    """Outlines of a kind, untilted: (2, 64, 64), which paint is where."""
    layers = _draw(KINDS[name], np.diag([28.0, -28.0]), np.array([32.0, 32.0]), 64)
    return np.stack([np.asarray(layer) > 0 for layer in layers])


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


class TestWhatTellsTheKinds:
    @pytest.mark.parametrize("name", KINDS)
    def test_the_outline_has_an_up(self, name):
        turns = [overlap(upright(name), np.rot90(upright(name), turn, (1, 2))) for turn in (1, 2, 3)]
        assert max(turns) < 0.85

    @pytest.mark.parametrize(("one", "other"), [*combinations(KINDS, 2)])
    def test_the_outline_differs(self, one, other):
        assert overlap(upright(one), upright(other)) < 0.85

    def test_colours_do_not(self, pictures):
        images, labels, _ = pictures
        means = np.concatenate([images.mean(axis=(1, 2)), images.std(axis=(1, 2))], axis=1).astype(np.float32)
        assert knn_accuracy((means - means.mean(axis=0)) / means.std(axis=0), labels) < 0.2

    def test_pixels_say_little(self, pictures):
        images, labels, _ = pictures
        assert knn_accuracy(images.reshape(2000, -1) / np.float32(127.5) - 1, labels) < 0.4


class TestWriteZip:
    def test_names_tell_nothing_and_pixels_are_kept(self, tmp_path):
        images, _, _ = generate(12)
        write_zip(tmp_path / "a.zip", images)
        with zipfile.ZipFile(tmp_path / "a.zip") as archive:
            assert archive.namelist() == [f"img_{number:05}.png" for number in range(12)]
            found = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in archive.namelist()]
        assert np.array_equal(np.stack(found), images)

    def test_takes_names(self, tmp_path):
        images, _, _ = generate(2)
        write_zip(tmp_path / "a.zip", images, ["cup/a.png", "car/b.png"])
        with zipfile.ZipFile(tmp_path / "a.zip") as archive:
            assert archive.namelist() == ["cup/a.png", "car/b.png"]

    def test_writes_the_same_archive_each_time(self, tmp_path):
        images, _, _ = generate(5)
        for name in ("a.zip", "b.zip"):
            write_zip(tmp_path / name, images)
        assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()

    def test_refuses_names_that_are_too_few(self, tmp_path):
        with pytest.raises(ValueError, match="3 pictures need as many names"):
            write_zip(tmp_path / "a.zip", generate(3)[0], ["a.png"])
