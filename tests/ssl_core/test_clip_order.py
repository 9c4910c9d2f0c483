import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ssl_core.pretext.clip_order import ClipOrderTask
from ssl_core.spec import SpecError
from tests.ssl_core.task_tools import CLIP_FRAMES, batch_of, films, spec_of, task_of

SIDE = 32


def task(**settings: object) -> ClipOrderTask:
    made = task_of(spec_of("clip_order", **settings))
    assert isinstance(made, ClipOrderTask)
    return made


def numbered(count: int, frames: int) -> torch.Tensor:
    """Clips whose frames are even, at the level of their own number."""
    return torch.arange(frames, dtype=torch.uint8).view(1, 1, frames, 1, 1).expand(count, 3, frames, SIDE, SIDE)


class TestPieces:
    @pytest.mark.parametrize("shown", ["joined", "apart"])
    @pytest.mark.parametrize("count", [2, 3])
    @pytest.mark.parametrize("gap", [0, 1, 5])
    def test_are_in_a_known_order_with_gaps_between_them(self, shown: str, count: int, gap: int):
        made = task(shown=shown, pieces=count, gap=gap, brightness=0)
        frames, length = made.settings.decode_frames(CLIP_FRAMES), CLIP_FRAMES // count if shown == "joined" else CLIP_FRAMES
        assert frames == count * length + (count - 1) * gap
        levels, orders = made._shuffled(numbered(300, frames))
        seen = levels[:, :, 0, :, 0, 0].long()  # (B, K, T)
        assert seen.shape == (300, count, length)
        assert (seen.diff(dim=2) == 1).all()
        gaps, starts = set(), set()
        for row, order in zip(seen, orders, strict=True):
            was = row[made.orders[order].argsort()]  # put back into their order
            gaps |= set((was[1:, 0] - was[:-1, -1] - 1).tolist())
            starts.add(int(was[0, 0]))
        assert gaps == set(range(gap + 1))
        assert len(starts) > 1 or gap == 0
        assert set(orders.tolist()) == set(range(math.factorial(count)))

    def test_joined_they_are_one_clip_in_the_order_in_which_they_are_shown(self):
        made = task(brightness=0, crop="none", flip=False)
        torch.manual_seed(0)
        levels, _ = made._shuffled(numbered(8, CLIP_FRAMES))
        torch.manual_seed(0)
        shown = made.ask(numbered(8, CLIP_FRAMES))["clips"]
        assert torch.equal(shown, made.as_input(torch.cat([levels[:, place] for place in range(3)], 2)))

    def test_apart_each_is_a_clip(self):
        made = task(shown="apart", brightness=0, crop="none", flip=False)
        frames = made.settings.decode_frames(CLIP_FRAMES)
        torch.manual_seed(0)
        levels, _ = made._shuffled(numbered(8, frames))
        torch.manual_seed(0)
        shown = made.ask(numbered(8, frames))["clips"]
        assert torch.equal(shown[4], made.as_input(levels[1])[1])
        assert shown.shape == (24, 3, CLIP_FRAMES, SIDE, SIDE)

    @pytest.mark.parametrize("shown", ["joined", "apart"])
    def test_half_of_what_is_verified_is_in_order(self, shown: str):
        made = task(question="verification", shown=shown)
        question = made.ask(numbered(400, made.settings.decode_frames(CLIP_FRAMES)))
        assert float(question["answers"].float().mean()) == pytest.approx(0.5, abs=0.1)
        assert torch.equal(question["answers"], (question["orders"] == 0).long())
        assert made.settings.chance() == 0.5
        assert len(set(question["orders"].tolist())) == 6
        assert made.answer(question)["loss"].isfinite()

    def test_chance_is_one_of_all_orders(self):
        assert [task(pieces=count, shown="apart").settings.chance() for count in (2, 3, 4)] == [1 / 2, 1 / 6, 1 / 24]

    @pytest.mark.parametrize(("frames", "encoder"), [(5, "tiny3d"), (8, "s3d")])
    def test_too_short_clips_are_refused(self, frames: int, encoder: str):
        with pytest.raises(SpecError, match=r"choose (at least 6|9 or more)") as caught:
            spec_of("clip_order", encoder=encoder, _clip_frames=frames)
        assert caught.value.param == "clip_frames"


class TestAugmentation:
    @pytest.mark.parametrize("crop", ["pad", "resized", "none"])
    def test_places_are_the_same_for_all_pieces_of_a_video(self, crop: str):
        made = task(crop=crop, brightness=0)
        side, frames = made.settings.decode_size(SIDE), made.settings.decode_frames(CLIP_FRAMES)
        picture = np.random.default_rng(0).integers(0, 256, (1, 1, side, side, 3), np.uint8)
        levels, _ = made._shuffled(batch_of(np.tile(picture, (8, frames, 1, 1, 1)), 8))
        assert (levels == levels[:, :1, :, :1]).all()

    def test_brightness_is_drawn_for_each_piece_and_the_same_for_its_frames(self):
        made = task(brightness=0.2, crop="none", flip=False)
        frames = made.settings.decode_frames(CLIP_FRAMES)
        levels, _ = made._shuffled(torch.full((50, 3, frames, SIDE, SIDE), 100, dtype=torch.uint8))
        assert (levels == levels[..., :1, :1, :1]).all()
        means = levels.mean((2, 3, 4, 5))  # (B, K)
        assert (means.min(), means.max()) == (pytest.approx(80, abs=3), pytest.approx(120, abs=3))
        assert (means[:, 0] - means[:, 1]).abs().mean() > 5


def learned(data: np.ndarray, steps: int = 50, **settings: object) -> float:
    """Accuracy on videos that were not trained on, 400 questions about the last fifth."""
    made = task(_optimizer={"warmup": 0, "learning_rate": 0.003, "schedule": "constant"}, pieces=2, crop="none", **settings).train()
    (optimizer,) = made.optimizers()
    videos, asked = batch_of(data, len(data)), len(data) // 5
    for step in range(steps):
        torch.manual_seed(step)
        with torch.no_grad():
            question = made.ask(videos[torch.randperm(len(videos) - asked)[:32]])
        made.training_step(question, [optimizer])
    torch.manual_seed(0)
    with torch.no_grad():  # batch norm as in training, or a few steps would say nothing
        rows = torch.arange(len(videos) - asked, len(videos)).repeat(-(-400 // asked))[:400]
        return float(made.answer(made.ask(videos[rows]))["accuracy"])


def pans(count: int, frames: int) -> np.ndarray:
    """A camera that goes over a picture, each in one of four directions."""
    directions = np.random.default_rng(0).integers(0, 4, count)
    return np.stack(
        [
            np.stack([np.roll(picture, (2 if way < 2 else -2) * frame, way % 2) for frame in range(frames)])
            for picture, way in zip(films(count, SIDE, 12)[:, 0], directions.tolist(), strict=True)
        ]
    )


def still(count: int, frames: int) -> np.ndarray:
    return np.repeat(films(count, SIDE, 12)[:, :1], frames, 1)


def compressed(count: int, frames: int) -> np.ndarray:
    """Videos of one picture each with a little noise, as the encoder of the tests' videos makes them."""
    generator = np.random.default_rng(0)
    videos = []
    for clip in still(count, frames).astype(int):
        noisy = np.clip(clip + generator.integers(-3, 4, clip.shape), 0, 255).astype(np.uint8)
        videos.append(through_h264(noisy, generator.integers(0, 12)))
    return np.stack(videos)


def through_h264(frames: np.ndarray, before: int) -> np.ndarray:
    """Encoded and decoded, behind so many frames more, so that the key frames are anywhere."""
    import io

    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "12", "crf": "30"})
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = SIDE, SIDE, "yuv420p", 1
        for frame in [*[frames[0]] * before, *frames]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(decoded[before:])


class TestCheats:
    CHANCE = 0.5 + 4 * math.sqrt(0.25 / 400)

    def test_it_is_learned_where_something_moves(self):
        assert learned(pans(240, CLIP_FRAMES), 60) > 0.9

    @pytest.mark.parametrize("made", [still, compressed])
    @pytest.mark.parametrize("shown", ["joined", "apart"])
    def test_where_nothing_moves_it_guesses(self, made: Callable[[int, int], np.ndarray], shown: str):
        frames = {"joined": CLIP_FRAMES, "apart": 2 * CLIP_FRAMES + 3}[shown]
        assert learned(made(100, frames), 40, shown=shown) < self.CHANCE

    @pytest.mark.parametrize("shown", ["joined", "apart"])
    def test_fading_gives_the_order_away_only_if_brightness_is_left_alone(self, shown: str):
        frames = {"joined": CLIP_FRAMES, "apart": 2 * CLIP_FRAMES + 3}[shown]
        fade = np.linspace(0.95, 1.05, frames).reshape(1, -1, 1, 1, 1)
        faded = np.clip(still(160, frames) * fade, 0, 255).astype(np.uint8)
        assert learned(faded, shown=shown, brightness=0) > 0.9
        assert learned(faded, shown=shown, brightness=0.2) < 0.8
