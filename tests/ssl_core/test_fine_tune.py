import numpy as np
import pytest
import torch

from ssl_core.encoders import Encoder, build_encoder
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.evaluate.fine_tune import Effort, automatic_steps, fine_tuned
from ssl_core.evaluate.samples import Samples
from ssl_core.process import StopRequest
from ssl_core.spec import ResolvedEncoder

EFFORT = Effort(steps=60, batch_size=32, learning_rate=2e-3, flip=True)


def encoder() -> Encoder:
    torch.manual_seed(0)
    return build_encoder(ResolvedEncoder(name="tiny", stem="standard"), 32)


def stripes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with stripes across it, along it, or none."""
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 3, count)
    wave = 40 * np.sin(np.arange(32) * draws.uniform(0.8, 1.6, (count, 1)) + draws.uniform(0, 6, (count, 1)))
    wave = wave[:, :, None] * np.ones(32)
    wave = np.where((labels == 1)[:, None, None], wave.transpose(0, 2, 1), wave) * (labels < 2)[:, None, None]
    images = draws.uniform(80, 170, (count, 1, 1, 3)) + wave[..., None] + draws.normal(0, 30, (count, 32, 32, 3))
    return np.clip(images, 0, 255).astype(np.uint8), labels


def told(effort: Effort = EFFORT, seed: int = 0, stop: StopRequest | None = None):
    images, labels = stripes(240)
    train, test = np.arange(120), np.arange(120, 240)
    answer = fine_tuned(
        encoder(), Samples(images), train, test, labels, 3, effort, shown_as="rgb", seed=seed, stop=stop or StopRequest()
    )
    return answer, float((answer == labels[test]).mean())


class TestFineTuned:
    def test_learns_the_classes(self):
        _, untrained = told(Effort(1, 32, 1e-6, flip=True))
        _, trained = told()
        assert untrained < 0.6
        assert trained > 0.85

    def test_the_seed_decides_all(self):
        short = Effort(5, 32, 1e-3, flip=True)
        assert (told(short)[0] == told(short)[0]).all()
        assert (told(short)[0] != told(short, seed=1)[0]).any()

    def test_stops_when_asked(self):
        stop = StopRequest()
        stop.set()
        with pytest.raises(InterruptedRun):
            told(stop=stop)

    def test_says_what_to_change_if_it_diverges(self):
        with pytest.raises(UserError, match="learning_rates"):
            told(Effort(8, 32, float("inf"), flip=True))

    def test_steps_grow_with_the_labels(self):
        assert [automatic_steps(count, 64) for count in (4, 64, 640, 64_000)] == [100, 100, 600, 1000]
