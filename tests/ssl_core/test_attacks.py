import pytest
import torch
from torch import Tensor, nn

from ssl_core.augment import Normalize
from ssl_core.color import lightness
from ssl_core.evaluate import attacks
from ssl_core.evaluate.classifier import Classifier, margins
from ssl_core.evaluate.robustness_words import certainly_more, checks
from ssl_core.process import StopRequest

SIDE, CLASSES = 8, 3
EPSILONS = (0.01, 0.04, 0.06, 0.5)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def data() -> tuple[Tensor, Tensor]:
    """Images of three kinds of stripes in noise."""
    torch.manual_seed(0)
    labels = torch.arange(60) % CLASSES
    place = torch.arange(SIDE).view(1, 1, 1, SIDE)
    stripes = ((place // 2 + labels.view(-1, 1, 1, 1)) % CLASSES == 0).float().expand(-1, 3, SIDE, SIDE)
    return (0.3 + 0.1 * stripes + 0.1 * torch.rand(60, 3, SIDE, SIDE)).clamp(0, 1), labels


@pytest.fixture(scope="module")
def network(data: tuple[Tensor, Tensor]) -> Classifier:
    """A small network that was trained to tell them apart."""
    torch.manual_seed(1)
    layers = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * SIDE**2, CLASSES))
    pixels, labels = data
    optimizer = torch.optim.Adam(layers.parameters(), 1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(layers(Normalize()(pixels * 255)), labels).backward()
        optimizer.step()
    trained = Classifier(layers)
    assert all(weight.requires_grad for weight in layers.parameters())  # others may go on training it
    assert not any(weight.requires_grad for weight in trained.parameters())
    with torch.no_grad():
        assert bool((margins(trained(pixels), labels) > 0).all())
    return trained


def pgd(network: nn.Module, data: tuple[Tensor, Tensor], epsilon: float, steps: int = 10, restarts: int = 1) -> attacks.Attacked:
    return attacks.pgd(network, *data, epsilon, generator(), steps=steps, restarts=restarts, stop=StopRequest())


class Rounded(nn.Module):
    """A network that rounds what it sees: it is as weak as before, and has no gradient."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(torch.round(pixels * 64) / 64)


class TestBounds:
    @pytest.mark.parametrize("epsilon", EPSILONS)
    def test_attacks_stay_near_the_image_and_within_0_to_1(self, network: Classifier, data, epsilon: float):
        square = attacks.square(network, *data, epsilon, generator(), queries=20, stop=StopRequest())
        for found in (attacks.fgsm(network, *data, epsilon), pgd(network, data, epsilon), square):
            assert float((found.images - data[0]).abs().max()) <= epsilon + 1e-6
            assert (float(found.images.min()) >= 0, float(found.images.max()) <= 1) == (True, True)

    def test_what_is_called_fooled_is(self, network: Classifier, data):
        for epsilon in EPSILONS:
            found = pgd(network, data, epsilon)
            with torch.no_grad():
                assert torch.equal(network(found.images).argmax(1) != data[1], found.fooled)
            assert torch.equal(found.after >= 0, found.fooled)


class TestStrength:
    def test_descent_is_stronger_than_one_step_and_that_than_noise(self, network: Classifier, data):
        noise, step, descent = (
            [int(attack(epsilon).fooled.sum()) for epsilon in EPSILONS[:3]]
            for attack in (
                lambda epsilon: attacks.noise(network, *data, epsilon, generator()),
                lambda epsilon: attacks.fgsm(network, *data, epsilon),
                lambda epsilon: pgd(network, data, epsilon, steps=20),
            )
        )
        assert all(a <= b <= c for a, b, c in zip(noise, step, descent, strict=True))
        assert (sum(noise) < sum(step), sum(step) < 60 * 3) == (True, True)

    def test_rises_with_epsilon_until_nothing_is_left(self, network: Classifier, data):
        fooled = [int(pgd(network, data, epsilon, steps=20).fooled.sum()) for epsilon in EPSILONS]
        assert fooled == sorted(fooled)
        assert (fooled[0] < 60, fooled[-1]) == (True, 60)

    def test_more_steps_and_restarts_are_never_weaker(self, network: Classifier, data):
        found = pgd(network, data, 0.045, steps=12, restarts=3)
        by_step = [int((found.fooled & (found.after <= step)).sum()) for step in range(37)]
        assert by_step == sorted(by_step)
        assert by_step[-1] == int(found.fooled.sum())
        assert int(found.fooled.sum()) >= int(pgd(network, data, 0.045, steps=12).fooled.sum())

    def test_a_confident_network_has_a_gradient_too(self, network: Classifier, data):
        class Sure(nn.Module):
            def forward(self, pixels: Tensor) -> Tensor:
                return network(pixels) * 1e4

        _, direction = attacks.gradient(Sure(), *data)
        assert bool((direction.flatten(1).abs().amax(1) > 0).all())
        assert int(pgd(Sure(), data, 0.05).fooled.sum()) > 0

    def test_a_search_without_gradients_finds_something(self, network: Classifier, data):
        fooled = [
            int(attacks.square(network, *data, 0.1, generator(), queries=queries, stop=StopRequest()).fooled.sum())
            for queries in (1, 200)
        ]
        assert fooled[0] < fooled[1]

    def test_sees_through_lightness_of_black_pixels(self):
        pixels = torch.zeros(1, 3, 2, 2, requires_grad=True)
        lightness(pixels * 255).sum().backward()
        assert bool(pixels.grad.isfinite().all())

    def test_of_clips_too(self):
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 2 * SIDE**2, CLASSES))
        clips = torch.rand(6, 3, 2, SIDE, SIDE)
        network = Classifier(layers)
        with torch.no_grad():
            said = network(clips).argmax(1)
        assert bool(pgd(network, (clips, said), 0.5).fooled.all())
        assert attacks.square(network, clips, said, 0.1, generator(), queries=5, stop=StopRequest()).images.shape == clips.shape


def told(network: nn.Module, data: tuple[Tensor, Tensor], epsilon: float = 0.1) -> dict[str, bool]:
    """What is said of the attacks on a network, as the protocol does it."""
    pixels, labels = data
    with torch.no_grad():
        right = margins(network(pixels), labels) > 0
    pixels, labels = pixels[right], labels[right]
    search = attacks.square(network, pixels, labels, epsilon, generator(), queries=200, stop=StopRequest())
    _, direction = attacks.gradient(network, pixels, labels)

    def places(mask: Tensor) -> list[int]:
        return mask.nonzero().squeeze(1).tolist()

    descent = pgd(network, (pixels, labels), epsilon)
    large = len(pixels) - int(pgd(network, (pixels, labels), 0.5).fooled.sum())
    by_epsilon = {
        epsilon: {
            "noise": places(attacks.noise(network, pixels, labels, epsilon, generator()).fooled),
            "fgsm": places(attacks.fgsm(network, pixels, labels, epsilon).fooled),
            "pgd": places(descent.fooled),
        }
    }
    found = {
        "fooled": {
            "right": places(labels >= 0),
            "epsilons": by_epsilon,
            "control": places(search.fooled),
            "by_step": [int((descent.fooled & (descent.after <= step)).sum()) for step in range(11)],
        },
        "control": {"epsilon": epsilon},
        "large": {"epsilon": 0.5, "accuracy": large / len(pixels)},
        "without_gradient": float((direction == 0).flatten(1).all(1).float().mean()),
        "transfer": {"images": [], "fooled": []},
    }
    return {check["name"]: check["holds"] for check in checks(found)}


class TestChecks:
    def test_all_hold_of_an_honest_network(self, network: Classifier, data):
        assert all(told(network, data).values())

    def test_masked_gradients_are_called_out(self, network: Classifier, data):
        verdicts = told(Rounded(network), data)
        assert (verdicts["no_masked_gradients"], verdicts["gradients_are_there"]) == (False, False)

    def test_a_constant_network_is_called_out(self, data):
        class Constant(nn.Module):
            def forward(self, pixels: Tensor) -> Tensor:
                return torch.tensor([1.0, 0.0, 0.0]) + 0 * pixels.mean((1, 2, 3)).unsqueeze(1)

        verdicts = told(Constant(), data)
        assert (verdicts["gradients_are_there"], verdicts["near_zero_when_large"]) == (False, False)

    def test_more_is_more_only_beyond_chance(self):
        assert certainly_more([1, 2, 3], [])
        assert not certainly_more([1, 2], [])
        assert not certainly_more([1, 2, 3], [4, 5])
        assert not certainly_more([], [1, 2, 3])
        assert not certainly_more(range(50), range(50))
