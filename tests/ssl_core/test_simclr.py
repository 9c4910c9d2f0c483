import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from ssl_core.augment import view
from ssl_core.pretext.simclr import SimCLRTask, contrast
from ssl_core.pretext.two_views import health
from ssl_core.spec import SpecError
from tests.ssl_core.task_tools import batch_of, shapes, spec_of, task_of


def unit(count: int, length: int, seed: int = 0) -> torch.Tensor:
    return functional.normalize(torch.randn(count, length, generator=torch.Generator().manual_seed(seed)), dim=1)


def slow_loss(projections: torch.Tensor, temperature: float) -> float:
    """NT-Xent as the paper writes it, term by term."""
    count, total = len(projections), 0.0
    for i in range(count):
        j = (i + count // 2) % count
        others = sum(math.exp(float(projections[i] @ projections[k]) / temperature) for k in range(count) if k != i)
        total -= math.log(math.exp(float(projections[i] @ projections[j]) / temperature) / others)
    return total / count


class TestContrast:
    @pytest.mark.parametrize("temperature", [0.1, 0.5])
    def test_is_the_paper_s(self, temperature: float):
        projections = unit(12, 8)
        assert float(contrast(projections, temperature)[0]) == pytest.approx(slow_loss(projections, temperature), rel=1e-5)

    def test_of_random_projections_is_about_the_logarithm_of_the_others(self):
        loss, accuracy = contrast(unit(512, 2048), 0.5)
        assert float(loss) == pytest.approx(math.log(511), abs=0.01)
        assert accuracy < 0.03

    def test_of_equal_views_is_small(self):
        half = unit(64, 2048)
        loss, accuracy = contrast(torch.cat([half, half]), 0.05)
        assert loss < 0.01
        assert accuracy == 1


class TestStart:
    def test_the_untrained_network_has_about_that_loss(self):
        images = shapes(128, 32)
        task = task_of(spec_of("simclr", batch=128), images).train()
        assert isinstance(task, SimCLRTask)
        with torch.no_grad():
            loss = task(batch_of(images, 128))["loss"]
        assert float(loss) == pytest.approx(math.log(255), abs=0.4)


class TestViews:
    def test_both_of_an_image_are_drawn_for_themselves(self):
        images = batch_of(shapes(1, 32), 1).repeat(64, 1, 1, 1)
        task = task_of(spec_of("simclr"), shapes(8, 32))
        torch.manual_seed(0)
        views = task.ask(images)["views"]
        assert len({row.numpy().tobytes() for row in views}) == 128

    def test_are_levels_and_keep_within_them(self):
        levels = view(batch_of(shapes(32, 32), 32), 32, scale=0.2, flip=True, jitter=1, grayscale=0.2, blur=0.5)
        assert levels.shape == (32, 3, 32, 32)
        assert levels.min() >= 0
        assert levels.max() <= 255

    def test_as_many_lose_their_colours_as_was_asked(self):
        torch.manual_seed(0)
        levels = view(batch_of(shapes(100, 32), 100).repeat(5, 1, 1, 1), 32, scale=0.9, flip=False, jitter=0, grayscale=0.3, blur=0)
        gray = (levels.amax(1) - levels.amin(1)).flatten(1).amax(1) < 0.5
        assert float(gray.float().mean()) == pytest.approx(0.3, abs=0.07)


class TestHealth:
    def test_tells_a_collapse(self):
        told = health(torch.ones(64, 16))
        assert float(told["feature_std"]) == pytest.approx(0, abs=1e-5)
        assert float(told["uniformity"]) == pytest.approx(0, abs=1e-4)
        assert float(told["alignment"]) == pytest.approx(0, abs=1e-5)

    def test_of_well_spread_features_is_good(self):
        half = torch.randn(256, 64, generator=torch.Generator().manual_seed(0))
        told = health(torch.cat([half, half]))
        assert float(told["feature_std"]) == pytest.approx(1, abs=0.05)
        assert told["uniformity"] < -3
        assert told["alignment"] < 1e-6

    def test_uniformity_is_the_paper_s(self):
        features = unit(16, 4)
        one = features[:8]
        pairs = [(-2 * float((one[i] - one[j]).square().sum())) for i in range(8) for j in range(8) if i != j]
        assert float(health(features)["uniformity"]) == pytest.approx(math.log(np.mean(np.exp(pairs))), abs=1e-4)


class TestRefusals:
    @pytest.mark.parametrize("name", ["simclr", "barlow_twins"])
    def test_a_batch_too_small_to_compare_in(self, name: str):
        with pytest.raises(SpecError) as caught:
            spec_of(name, batch=4)
        assert caught.value.param == "batch_size"
