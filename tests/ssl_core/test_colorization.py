import numpy as np
import pytest
import torch

from ssl_core.color import lab, srgb
from ssl_core.pretext.colorization import ColorizationTask
from ssl_core.statistics import statistics_of
from tests.ssl_core.task_tools import batch_of, noise, shapes, spec_of, task_of


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return shapes(64, 32)


def task(images: np.ndarray, **settings: object) -> ColorizationTask:
    made = task_of(spec_of("colorization", crop="none", flip=False, **settings), images)
    assert isinstance(made, ColorizationTask)
    return made


class TestLeaks:
    def test_other_colours_of_the_same_lightness_give_the_same_answer(self, images: np.ndarray):
        made = task(images).eval()
        values = lab(batch_of(images, 8))
        values[:, 0] = values[:, 0].clamp(35, 65)  # where there are many colours of each lightness
        one = values.clone()
        one[:, 1:] = (torch.rand_like(values[:, 1:]) - 0.5) * 24
        other = values.clone()
        other[:, 1:] = (torch.rand_like(values[:, 1:]) - 0.5) * 24
        questions = [made.ask(srgb(part).contiguous(memory_format=torch.channels_last)) for part in (one, other)]
        assert torch.allclose(questions[0]["images"], questions[1]["images"], atol=1e-3)
        assert not torch.equal(questions[0]["neighbours"], questions[1]["neighbours"])
        with torch.no_grad():
            logits = [made._logits(question["images"]) for question in questions]
        assert torch.allclose(*logits, atol=1e-3)

    def test_the_input_is_grey(self, images: np.ndarray):
        shown = task(images).ask(batch_of(images, 8))["images"]
        normalize = task(images).normalize
        levels = (shown - normalize.shift.view(3, 1, 1)) / normalize.scale.view(3, 1, 1)
        assert (levels[:, :1] - levels).abs().max() < 1e-2


class TestBins:
    def test_the_nearest_is_within_half_a_bin(self, images: np.ndarray):
        made = task(images)
        colors = made._colors(batch_of(images, 64))
        neighbours, shares = made._spread(colors)
        nearest = made.bins[neighbours.gather(1, shares.argmax(1, keepdim=True)).squeeze(1)].permute(0, 3, 1, 2)
        # Colours are rounded to whole units to find their neighbours.
        assert (nearest - colors).abs().max() <= made.settings.bin_size / 2 + 1

    def test_the_mean_of_the_soft_encoding_is_the_colour(self, images: np.ndarray):
        made = task(images)
        colors = made._colors(batch_of(images, 64))
        neighbours, shares = made._spread(colors)
        mean = (made.bins[neighbours] * shares.unsqueeze(4)).sum(1).permute(0, 3, 1, 2)
        assert torch.allclose(shares.sum(1), torch.ones_like(shares[:, 0]), atol=1e-5)
        assert float((mean - colors).norm(dim=1).median()) < made.settings.bin_size / 2

    def test_they_and_their_frequencies_are_the_dataset_s(self, images: np.ndarray):
        made = task(images)
        assert made.prior.sum() == pytest.approx(1)
        assert (made.prior >= 0).all()
        reds = np.zeros((32, 32, 32, 3), np.uint8)
        reds[..., 0] = 200
        (only,) = task(reds).bins.tolist()
        assert only == pytest.approx(lab(torch.tensor([200, 0, 0]).view(1, 3, 1, 1)).flatten()[1:].tolist(), abs=5.01)

    def test_rare_colours_count_more_and_all_count_one_on_average(self, images: np.ndarray):
        made = task(images)
        weights = made._importance()
        assert float((weights * made.prior).sum()) == pytest.approx(1, abs=1e-4)
        assert weights[made.prior.argmin()] > 2 * weights[made.prior.argmax()]
        flat = task(images, prior_smoothing=1)._importance()
        assert torch.allclose(flat, torch.ones_like(flat), atol=1e-4)

    def test_grey_images_among_others_do_not_count(self, images: np.ndarray):
        mixed = batch_of(images, 8).clone()
        mixed[:4] = mixed[:4].float().mean(1, keepdim=True).to(torch.uint8)
        weights = task(images).ask(mixed)["weights"]
        assert (weights[:4] == 0).all()
        assert (weights[4:] > 0).all()


class TestAnswers:
    def test_the_annealed_mean_goes_from_the_mean_to_the_likeliest(self, images: np.ndarray):
        logits = torch.randn(2, len(task(images).bins), 4, 4)
        cold, warm = (task(images, temperature=temperature) for temperature in (0.001, 1))
        assert torch.allclose(cold.decoded(logits), cold.bins[logits.argmax(1)].permute(0, 3, 1, 2), atol=0.5)
        mean = torch.einsum("bqhw,qc->bchw", logits.softmax(1), warm.bins)
        assert torch.allclose(warm.decoded(logits), mean, atol=1e-3)

    def test_answering_the_prior_has_no_information(self, images: np.ndarray):
        made = task(images).eval()
        blind = (made.prior * made._importance()).clamp(min=1e-9).log()
        made._logits = lambda shown: blind.view(1, -1, 1, 1).expand(len(shown), -1, made.side, made.side)
        with torch.no_grad():
            told = made.answer(made.ask(batch_of(images, 32)))
        assert float(told["information"]) == pytest.approx(0, abs=1e-3)


class TestConcerns:
    def test_grey_images_are_refused_and_some_warned_of(self, images: np.ndarray):
        gray = np.repeat(images.mean(3, keepdims=True).astype(np.uint8), 3, 3)
        settings = spec_of("colorization").task
        (refusal,) = settings.concerns(statistics_of(gray, 32))
        assert refusal.fatal
        assert "100% of the images are grey" in refusal.message
        (warning,) = settings.concerns(statistics_of(np.concatenate([gray, images]), 32))
        assert not warning.fatal
        assert settings.concerns(statistics_of(images, 32)) == []
        assert settings.concerns(statistics_of(noise(64, 32).permute(0, 2, 3, 1).numpy(), 32)) == []
