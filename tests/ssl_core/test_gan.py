import math

import numpy as np
import pytest
import torch
from torch import nn

from ssl_core.pretext.adversarial import Average, HardSigmoid, gradient_penalty, relativistic_losses
from ssl_core.pretext.changes import changed, draw_changes
from ssl_core.pretext.gan import GanTask
from ssl_core.pretext.generators import Generator
from tests.ssl_core.task_tools import batch_of, shapes, spec_of, task_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return shapes(64, 32)


def task(images: np.ndarray, **settings: object) -> GanTask:
    made = task_of(spec_of("gan", **settings), images)
    assert isinstance(made, GanTask)
    return made


class TestLosses:
    def test_are_ln_2_where_nothing_can_be_told(self):
        same = torch.randn(16)
        assert [float(loss) for loss in relativistic_losses(same, same)] == pytest.approx([math.log(2)] * 2)

    def test_are_each_other_s_mirror(self):
        real, made = torch.randn(2, 16)
        assert relativistic_losses(real, made) == relativistic_losses(made, real)[::-1]

    def test_the_penalty_is_the_squared_length_of_the_gradient(self):
        samples = [torch.randn(5, 3, 4, 4, requires_grad=True) for _ in range(2)]
        weight = torch.randn(48, requires_grad=True)
        scores = torch.cat(samples).flatten(1) @ weight
        penalty = gradient_penalty(scores, samples)
        assert penalty.item() == pytest.approx(2 * weight.square().sum().item(), rel=1e-5)
        penalty.backward()
        assert torch.allclose(weight.grad, 4 * weight, atol=1e-4)


class TestAverage:
    def test_half_of_a_weight_is_gone_after_its_half_life(self):
        module = nn.Linear(1, 1)
        average = Average(nn.Linear(1, 1), 1000)
        average.seen += 10**9
        nn.init.zeros_(module.weight)
        nn.init.ones_(average.module.weight)
        for _ in range(10):
            average.update(module.parameters(), 100)
        assert average.module.weight.item() == pytest.approx(0.5, abs=1e-4)
        assert average.seen == 10**9 + 1000

    def test_at_the_start_it_follows_at_once(self):
        module, average = nn.Linear(4, 4), Average(nn.Linear(4, 4), 50_000)
        average.update(module.parameters(), 64)
        assert torch.allclose(average.module.weight, module.weight, atol=1e-4)
        assert not any(weight.requires_grad for weight in average.parameters())


class TestGenerator:
    @pytest.mark.parametrize("size", [32, 33, 48, 96, 224])
    def test_makes_images_of_any_size(self, size: int):
        made = Generator(16, 8, size)(torch.randn(2, 16))
        assert made.shape == (2, 3, size, size)
        assert made.abs().max() <= 1

    def test_other_latents_make_other_images(self):
        made = Generator(16, 8, 32)(torch.randn(4, 16))
        assert made.std(0).mean() > 0.01


class TestChanges:
    def test_none_are_made_without_a_probability(self):
        levels = torch.randn(4, 3, 32, 32)
        assert torch.allclose(changed(levels, draw_changes(4, 32, 0.0, CPU)), levels, atol=1e-6)

    def test_they_are_drawn_for_each_image(self):
        torch.manual_seed(0)
        levels = torch.randn(1, 3, 32, 32).expand(16, 3, 32, 32)
        rows = changed(levels, draw_changes(16, 32, 1.0, CPU))
        assert len({row.numpy().tobytes() for row in rows}) == 16

    def test_as_many_are_changed_as_was_asked(self):
        torch.manual_seed(0)
        draws = draw_changes(2000, 16, 0.3, CPU)
        cut = (draws["shown"].flatten(1).min(1).values == 0).float().mean()
        assert float(cut) == pytest.approx(0.3, abs=0.05)
        colored = (draws["light"].flatten(1)[:, 0] != 0).float().mean()
        assert float(colored) == pytest.approx(0.3, abs=0.05)

    def test_gradients_pass_as_they_should(self):
        torch.manual_seed(0)
        draws = {name: value.double() for name, value in draw_changes(2, 8, 1.0, CPU).items()}
        levels = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda values: changed(values, draws), levels)


class TestFairness:
    def test_real_images_have_any_level_as_made_ones_do(self, images: np.ndarray):
        question = task(images, augment=0).ask(batch_of(images, 32))
        levels = (question["real"] + 1) * 127.5
        part = levels - levels.floor()
        assert [float((part < edge).float().mean()) for edge in (0.25, 0.5, 0.75)] == pytest.approx([0.25, 0.5, 0.75], abs=0.03)
        assert (levels.round() - batch_of(images, 32)).abs().min(0).values.max() <= 255
        assert question["real"].shape == (32, 3, 32, 32)

    def test_both_go_through_the_network_in_one_batch(self, images: np.ndarray):
        made = task(images).train()
        seen = []
        made.encoder.network.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
        with torch.no_grad():
            question = made.ask(batch_of(images, 8))
        made.training_step(question, made.optimizers())
        assert seen == [16, 16]

    def test_whoever_is_shown_first_is_scored_alike(self, images: np.ndarray):
        made = task(images).train()
        one, two = torch.rand(2, 8, 3, 32, 32) * 2 - 1
        with torch.no_grad():
            first, second = made.scores(one, two, {})[""]
            second_again, first_again = made.scores(two, one, {})[""]
        assert torch.allclose(first, first_again, atol=1e-4)
        assert torch.allclose(second, second_again, atol=1e-4)


class TestPlayers:
    def test_each_learns_by_its_own_loss_alone(self, images: np.ndarray):
        made = task(images, _optimizer={"warmup": 0}).train()
        discriminator, generator = made.optimizers()
        names = {id(value): name.split(".")[0] for name, value in made.named_parameters()}
        assert {names[id(value)] for group in discriminator.param_groups for value in group["params"]} == {"encoder", "head"}
        assert {names[id(value)] for group in generator.param_groups for value in group["params"]} == {"generator"}

    def test_the_discriminator_learns_to_tell_and_then_the_generator_to_deceive_it(self, images: np.ndarray):
        made = task(images, augment=0, _optimizer={"learning_rate": 0.002, "warmup": 0}).train()
        optimizers = made.optimizers()
        for step in range(20):
            torch.manual_seed(step)
            with torch.no_grad():
                question = made.ask(batch_of(images, 32))
            told = made.train_discriminators(question, made.generator(question["latents"]).detach(), optimizers[0])
        assert told["accuracy"] > 0.9
        assert told["loss"] < 0.4
        optimizers[0].step = lambda: None  # from now on it stays as it is
        losses = []
        for step in range(20):
            torch.manual_seed(step)
            with torch.no_grad():
                question = made.ask(batch_of(images, 32))
            losses.append(float(made.training_step(question, optimizers)["generator_loss"]))
        assert losses[-1] < losses[0] / 2


class TestHardSigmoid:
    def test_is_torch_s(self):
        values = torch.linspace(-6, 6, 97)
        assert torch.allclose(HardSigmoid()(values), nn.Hardsigmoid()(values))
