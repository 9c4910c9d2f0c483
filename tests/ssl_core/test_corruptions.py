from itertools import pairwise

import numpy as np
import pytest

from launcher.shapes import generate
from ssl_core.evaluate.corruptions import CORRUPTIONS, SEVERITIES, corrupted, strength


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    made, _, _ = generate(count=70, seed=0, size=32)
    return made


@pytest.mark.parametrize("kind", CORRUPTIONS)
class TestCorrupted:
    def test_changes_more_with_severity(self, images, kind: str):
        changed = [np.abs(corrupted(images, kind, severity, seed=0).astype(float) - images).mean() for severity in SEVERITIES]
        assert all(less < more for less, more in pairwise(changed)), changed
        assert 0.5 < changed[0] < changed[-1] < 110

    def test_is_the_same_again(self, images, kind: str):
        first, again = (corrupted(images, kind, 3, seed=0).tobytes() for _ in range(2))
        assert first == again
        if kind in {"gaussian_noise", "shot_noise", "impulse_noise", "motion_blur", "fog"}:
            assert first != corrupted(images, kind, 3, seed=1).tobytes()

    def test_takes_clips_and_large_images(self, kind: str, images):
        clips = np.repeat(images[:4].reshape(2, 2, 32, 32, 3), 1, 0)
        assert corrupted(clips, kind, 5, seed=0).shape == clips.shape
        large = np.kron(images[:2], np.ones((1, 4, 4, 1), np.uint8))
        assert corrupted(large, kind, 2, seed=0).shape == large.shape


class TestClips:
    @pytest.mark.parametrize("kind", [kind for kind in CORRUPTIONS if kind != "shot_noise"])
    def test_frames_are_corrupted_alike(self, images, kind: str):
        still = np.repeat(images[:3, None], 4, 1)
        found = corrupted(still, kind, 4, seed=0)
        assert all(np.array_equal(found[:, 0], found[:, frame]) for frame in range(4))


class TestStrength:
    def test_is_the_benchmarks_at_their_sizes_and_between_them_in_between(self):
        assert [strength("gaussian_noise", 1, side) for side in (16, 32, 224, 300)] == [0.04, 0.04, 0.08, 0.08]
        assert 1 < strength("gaussian_blur", 5, 96) < 6

    def test_rises_with_severity_for_every_size(self):
        for kind in CORRUPTIONS:
            for side in (32, 64, 96, 224):
                strengths = [strength(kind, severity, side) for severity in SEVERITIES]
                assert strengths == sorted(set(strengths)), (kind, side)

    def test_blur_keeps_the_mean_and_pixelation_the_blocks(self):
        edge = np.zeros((1, 32, 32, 3), np.uint8)
        edge[:, :, 16:] = 200
        for kind in ("gaussian_blur", "motion_blur", "pixelate"):
            assert corrupted(edge, kind, 3, seed=0).mean() == pytest.approx(100, abs=2)
        noisy = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
        # At 224 px a severity of 2 leaves half of the side: blocks of 2 x 2.
        blocks = corrupted(noisy, "pixelate", 2, seed=0).reshape(112, 2, 112, 2, 3).astype(int)
        means = noisy.reshape(112, 2, 112, 2, 3).mean((1, 3), keepdims=True)
        assert np.abs(blocks - means).max() <= 0.51
