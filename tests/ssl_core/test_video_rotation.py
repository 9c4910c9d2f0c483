import numpy as np
import pytest
import torch

from ssl_core.augment import quarter_turns
from ssl_core.pretext.video_rotation import VideoRotationTask
from tests.ssl_core.task_tools import CLIP_FRAMES, batch_of, films, spec_of, task_of

SIDE = 32


def task(**settings: object) -> VideoRotationTask:
    made = task_of(spec_of("video_rotation", **settings))
    assert isinstance(made, VideoRotationTask)
    return made


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    return batch_of(films(6, SIDE, CLIP_FRAMES), 6)


class TestRotated:
    def test_all_four_are_turns_of_one_crop(self, clips: torch.Tensor):
        turned, turns = task(rotations="all").rotated(clips)
        assert turned.shape == (24, 3, CLIP_FRAMES, SIDE, SIDE)
        assert turns.tolist() == [number for number in range(4) for _ in range(6)]
        for number in range(4):
            assert torch.equal(quarter_turns(turned[6 * number : 6 * number + 6], 4 - number), turned[:6])

    def test_one_is_drawn_for_each(self, clips: torch.Tensor):
        turned, turns = task(crop="none", flip=False).rotated(clips.repeat(20, 1, 1, 1, 1))
        assert set(turns.tolist()) == {0, 1, 2, 3}
        for number, turn in enumerate(turns.tolist()):
            assert torch.equal(quarter_turns(turned[number : number + 1], 4 - turn)[0], clips[number % 6])


class TestAugmentation:
    @pytest.mark.parametrize("crop", ["pad", "resized", "none"])
    def test_is_the_same_for_all_frames_and_another_for_each_clip(self, crop: str):
        settings = spec_of("video_rotation", crop=crop)
        side = settings.task.decode_size(SIDE)
        frame = np.random.default_rng(0).integers(0, 256, (1, 1, side, side, 3), np.uint8)
        frozen = batch_of(np.tile(frame, (16, CLIP_FRAMES, 1, 1, 1)), 16)
        turned, _ = task(crop=crop).rotated(frozen)
        assert (turned == turned[:, :, :1]).all()
        assert len({clip.numpy().tobytes() for clip in turned}) > 3

    def test_keeps_the_frames_in_their_order(self, clips: torch.Tensor):
        numbered = torch.arange(6, dtype=torch.uint8).view(1, 1, 6, 1, 1).expand(8, 3, 6, SIDE, SIDE)
        turned, _ = task().rotated(numbered)
        assert torch.equal(turned, numbered)


class TestForward:
    def test_a_network_at_its_start_is_about_as_good_as_guessing(self, clips: torch.Tensor):
        metrics = task().train()(clips)
        assert metrics["loss"].item() == pytest.approx(1.386, abs=0.5)
