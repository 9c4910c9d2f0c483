import numpy as np
import pytest

from ssl_core.clips import ClipSettings, Segment, clip_table
from ssl_core.statistics import Statistics, statistics_of
from tests.ssl_core.task_tools import films, shapes

COUNT, SIDE = 200, 32


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return shapes(COUNT, SIDE)


def textures() -> np.ndarray:
    """Smooth noise: every direction is like every other."""
    generator = np.random.default_rng(0)
    coarse = generator.normal(size=(COUNT, SIDE // 4 + 2, SIDE // 4 + 2, 3))
    fine = coarse.repeat(4, 1).repeat(4, 2)
    for axis in (1, 2):
        fine = sum(np.roll(fine, shift, axis) for shift in range(4)) / 4
    cut = fine[:, 4 : 4 + SIDE, 4 : 4 + SIDE]
    return np.clip(128 + 60 * cut, 0, 255).astype(np.uint8)


def of(images: np.ndarray, **more: int) -> Statistics:
    return statistics_of(images, more.get("median_side", images.shape[1]))


class TestGray:
    def test_counts_images_without_colour(self, images: np.ndarray):
        gray = np.repeat(images[:50].mean(3, keepdims=True).astype(np.uint8), 3, 3)
        assert of(gray).gray_share == 1
        assert of(images).gray_share < 0.1
        assert of(np.concatenate([gray, images[50:]])).gray_share == pytest.approx(0.25, abs=0.05)

    def test_noise_of_compression_is_no_colour(self, images: np.ndarray):
        gray = np.repeat(images.mean(3, keepdims=True), 3, 3)
        noisy = gray + np.random.default_rng(0).integers(-3, 4, gray.shape)
        assert of(np.clip(noisy, 0, 255).astype(np.uint8)).gray_share > 0.95

    def test_is_fatal_from_where_a_task_says(self, images: np.ndarray):
        gray = np.repeat(images.mean(3, keepdims=True).astype(np.uint8), 3, 3)
        assert [concern.fatal for concern in of(gray).gray("it is grey", fatal_from=0.95)] == [True]
        assert of(images).gray("it is grey", fatal_from=0.95) == []


class TestFlat:
    def test_counts_images_that_show_nothing(self, images: np.ndarray):
        flat = np.full_like(images[:60], 77)
        assert of(flat).flat_share == 1
        assert of(images).flat_share == 0
        assert [concern.fatal for concern in of(np.concatenate([flat, images[60:]])).flat("there is nothing")] == [False]


class TestBorders:
    @pytest.mark.parametrize("edge", [(slice(None), slice(0, 3)), (slice(None), slice(None), slice(-2, None))])
    def test_are_seen_at_any_edge(self, images: np.ndarray, edge: tuple):
        framed = images.copy()
        framed[edge] = 0
        assert of(framed).border_share > 0.9
        assert of(framed).borders("they tell")
        assert of(images).border_share < 0.2
        assert of(images).borders("they tell") == []


class TestNoUp:
    def test_textures_have_none(self):
        found = of(textures())
        assert found.turn_accuracy < 0.25 + 2.5 * found.turn_error
        assert found.no_up("there is no answer")

    def test_pictures_of_things_have_one(self, images: np.ndarray):
        assert of(images).no_up("there is no answer") == []

    def test_a_few_images_say_nothing(self):
        assert of(textures()[:20]).no_up("there is no answer") == []


class TestUpscaled:
    def test_by_the_originals_side(self, images: np.ndarray):
        assert of(images, median_side=16).upscaled("blurred")
        assert of(images, median_side=32).upscaled("blurred") == []
        assert "2.0 times" in of(images, median_side=16).upscaled("blurred")[0].message


class TestFew:
    def test_by_what_a_task_wants(self, images: np.ndarray):
        assert of(images).few(1000, "it will learn them by heart")
        assert of(images).few(100, "it will learn them by heart") == []


class TestStill:
    @staticmethod
    def found(clips: np.ndarray) -> Statistics:
        count, frames, side = clips.shape[:3]
        table = clip_table([[Segment(0, frames, 1)]] * count, ClipSettings(frames, 1))
        return statistics_of(clips.reshape(-1, side, side, 3), side, table)

    def test_counts_clips_in_which_nothing_moves(self):
        moving = films(20, SIDE, 12)
        still = np.repeat(moving[:, :1], 12, 1)
        assert self.found(moving).still_share == 0
        assert self.found(still).still_share == 1
        mixed = self.found(np.concatenate([moving[:15], still[15:]]))
        assert mixed.still_share == pytest.approx(0.25)
        assert [concern.fatal for concern in mixed.still("there is nothing to learn")] == [False]
        assert [concern.fatal for concern in self.found(still).still("there is nothing to learn")] == [True]
        assert mixed.images == 20
        assert "20 clips" in mixed.few(500, "they will be learned by heart")[0].message

    def test_noise_is_no_motion(self):
        still = np.repeat(films(20, SIDE, 12)[:, :1], 12, 1).astype(int)
        noisy = still + np.random.default_rng(0).integers(-6, 7, still.shape)
        assert self.found(np.clip(noisy, 0, 255).astype(np.uint8)).still_share > 0.9

    def test_images_have_none(self, images: np.ndarray):
        assert of(images).still_share is None
        assert of(images).still("there is nothing to learn") == []
