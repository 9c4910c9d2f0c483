import numpy as np
import pytest
import torch

from ssl_core.pretext.changes import changed, draw_changes
from ssl_core.pretext.generators import ClipGenerator
from ssl_core.pretext.video_gan import FrameCritic, VideoGanTask, motion
from tests.ssl_core.task_tools import CLIP_FRAMES, batch_of, films, spec_of, task_of

CPU = torch.device("cpu")
SIDE = 32


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    return batch_of(films(32, SIDE, CLIP_FRAMES), 32)


def task(**settings: object) -> VideoGanTask:
    made = task_of(spec_of("video_gan", **settings)).train()
    assert isinstance(made, VideoGanTask)
    return made


class TestGenerator:
    @pytest.mark.parametrize(("frames", "side"), [(2, 32), (5, 33), (16, 32), (8, 64), (3, 48)])
    def test_makes_clips_of_any_length_and_size(self, frames: int, side: int):
        made = ClipGenerator(16, 8, frames, side)(torch.randn(2, 16))
        assert made.clips.shape == (2, 3, frames, side, side)
        assert made.masks.shape == (2, 1, frames, side, side)
        assert made.backgrounds.shape == (2, 3, 1, side, side)
        assert made.clips.abs().max() <= 1

    def test_where_the_mask_is_shut_nothing_moves(self):
        generator = ClipGenerator(16, 8, 6, SIDE)
        with torch.no_grad():
            generator.foreground.bias[3] = -100
            made = generator(torch.randn(2, 16))
            assert torch.equal(made.clips, made.backgrounds.expand_as(made.clips))
            assert motion(made.clips) == 0
            generator.foreground.bias[3] = 0
            assert motion(generator(torch.randn(2, 16)).clips) > 0.01

    def test_the_foreground_can_differ_from_frame_to_frame(self):
        generator = ClipGenerator(16, 8, 8, SIDE)
        with torch.no_grad():
            generator.foreground.bias[3] = 100
            frames = generator(torch.randn(4, 16)).clips.transpose(0, 2).flatten(1)
        assert (frames[1:] - frames[:-1]).abs().amax(1).min() > 0.001


class TestChanges:
    def test_are_the_same_for_all_frames_and_drawn_for_each_clip(self):
        torch.manual_seed(0)
        frozen = torch.randn(1, 3, 1, SIDE, SIDE).expand(16, 3, 5, SIDE, SIDE)
        shown = changed(frozen, draw_changes(16, SIDE, 1.0, CPU))
        assert torch.allclose(shown, shown[:, :, :1].expand_as(shown), atol=1e-5)
        assert len({clip.numpy().tobytes() for clip in shown[:, :, 0]}) == 16

    def test_are_those_of_images(self):
        torch.manual_seed(0)
        draws = draw_changes(4, SIDE, 1.0, CPU)
        levels = torch.randn(4, 3, 5, SIDE, SIDE)
        shown = changed(levels, draws)
        for frame in range(5):
            assert torch.allclose(shown[:, :, frame], changed(levels[:, :, frame], draws), atol=1e-5)


class TestQuestion:
    def test_real_clips_are_mirrored_as_a_whole(self):
        numbered = torch.arange(SIDE, dtype=torch.uint8).view(1, 1, 1, 1, SIDE).expand(64, 3, CLIP_FRAMES, SIDE, SIDE)
        shown = (task(augment=0).ask(numbered)["real"] + 1) * 127.5
        left = shown[:, 0, :, 0, 0]
        assert ((left < 1).all(1) | (left > SIDE - 2).all(1)).all()
        assert 10 < (left[:, 0] < 1).sum() < 54

    def test_frames_are_shuffled_within_their_clip(self, clips: torch.Tensor):
        made = task(augment=0, flip=False)
        seen = []
        made.encoder.network.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        with torch.no_grad():
            question = made.ask(clips[:8])
            made.judge(question["real"], question["real"], question)
        real, mixed = seen[0][:8], seen[0][16:]
        assert seen[0].shape[0] == 24
        for clip, other, order in zip(real, mixed, question["order"], strict=True):
            assert torch.equal(other, clip[:, order])
            assert sorted(order.tolist()) == list(range(CLIP_FRAMES))

    def test_without_that_there_are_real_and_made_clips_alone(self, clips: torch.Tensor):
        made = task(shuffled=False)
        seen = []
        made.encoder.network.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
        with torch.no_grad():
            question = made.ask(clips[:8])
        metrics = made.training_step(question, made.optimizers())
        assert seen == [16, 16]
        assert not any(name.startswith("order_") for name in metrics)

    def test_the_critic_of_frames_sees_two_of_each_clip(self, clips: torch.Tensor):
        made = task()
        seen = []
        assert made.critic is not None
        made.critic.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        with torch.no_grad():
            question = made.ask(clips[:4])
            made.scores(question["real"], question["real"], question)
        assert seen[0].shape == (16, 3, SIDE, SIDE)
        wanted = made.as_input((question["real"][1, :, question["moments"][1, 1]].unsqueeze(0) + 1) * 127.5)[0]
        assert torch.allclose(seen[0][3], wanted)


class TestPlayers:
    def test_each_learns_by_its_own_loss_alone(self):
        made = task()
        discriminator, generator = made.optimizers()
        names = {id(value): name.split(".")[0] for name, value in made.named_parameters()}
        parts = {names[id(value)] for group in discriminator.param_groups for value in group["params"]}
        assert parts == {"encoder", "head", "critic"}
        assert {names[id(value)] for group in generator.param_groups for value in group["params"]} == {"generator"}

    def test_the_encoder_learns_to_tell_made_clips_and_the_generator_to_deceive_it(self, clips: torch.Tensor):
        made = task(augment=0, shuffled=False, _optimizer={"learning_rate": 0.003, "warmup": 0})
        optimizers = made.optimizers()
        for step in range(8):
            torch.manual_seed(step)
            with torch.no_grad():
                question = made.ask(clips[:16])
                levels, _ = made.make(question)
            told = made.train_discriminators(question, levels, optimizers[0])
        assert told["accuracy"] > 0.9
        assert told["loss"] < 0.5
        optimizers[0].step = lambda: None  # from now on it stays as it is
        losses = []
        for step in range(8):
            torch.manual_seed(step)
            with torch.no_grad():
                question = made.ask(clips[:16])
            losses.append(float(made.training_step(question, optimizers)["generator_loss"]))
        assert losses[-1] < 0.7 * losses[0]


class TestFrameCritic:
    @pytest.mark.parametrize("side", [16, 32, 33, 112])
    def test_takes_any_size(self, side: int):
        assert FrameCritic(side)(torch.randn(3, 3, side, side)).shape == (3,)


class TestPicture:
    def test_tells_how_much_moves(self, clips: torch.Tensor):
        made = task().eval()
        with torch.no_grad():
            still = clips[:8, :, :1].expand_as(clips[:8])
            told, of_still = made.picture(clips[:8]), made.picture(still)
        assert told.frames == CLIP_FRAMES
        assert "times as much as real clips" in told.caption
        assert motion(still.float()) == 0
        assert of_still.caption != told.caption
        assert np.array_equal(told.panels[-1].images, clips[:8].permute(0, 2, 3, 4, 1).numpy())
