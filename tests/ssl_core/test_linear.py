import numpy as np
import pytest
import torch
from torch.nn import functional

from ssl_core.evaluate.linear import _Problem, linear_accuracy, linear_probe, split

COUNT, WIDTH, CLASSES = 600, 12, 3


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, CLASSES, 2 * COUNT)


@pytest.fixture
def features(labels: np.ndarray) -> np.ndarray:
    """Noisy clusters, in features that correlate and whose scales differ by millions."""
    generator = np.random.default_rng(0)
    centres = 2 * generator.normal(size=(CLASSES, WIDTH))[labels]
    mixed = (centres + generator.normal(size=(2 * COUNT, WIDTH))) @ generator.normal(size=(WIDTH, WIDTH))
    return (mixed * np.logspace(-3, 3, WIDTH) + 5).astype(np.float32)


class TestProbe:
    def test_of_clear_classes_is_near_one_and_of_shuffled_labels_is_chance(self, features: np.ndarray, labels: np.ndarray):
        assert linear_accuracy(features[:COUNT], labels[:COUNT], features[COUNT:], labels[COUNT:]) > 0.95
        shuffled = np.random.default_rng(2).permutation(labels)
        assert linear_accuracy(features[:COUNT], shuffled[:COUNT], features[COUNT:], shuffled[COUNT:]) < 0.45

    def test_is_the_same_every_time(self, features: np.ndarray, labels: np.ndarray):
        first, second = (linear_probe(features[:COUNT], labels[:COUNT], features[COUNT:], labels[COUNT:]) for _ in range(2))
        assert (first.accuracy, first.validation_accuracy, first.strength) == (
            second.accuracy,
            second.validation_accuracy,
            second.strength,
        )
        assert np.array_equal(first.predicted, second.predicted)
        assert torch.equal(first.head.weights, second.head.weights)

    def test_its_head_says_the_same_with_gradients(self, features: np.ndarray, labels: np.ndarray):
        probe = linear_probe(features[:COUNT], labels[:COUNT], features[COUNT:], labels[COUNT:])
        asked = torch.from_numpy(features[COUNT:]).requires_grad_()
        logits = probe.head(asked)
        assert np.array_equal(logits.argmax(1).numpy(), probe.predicted)
        (gradient,) = torch.autograd.grad(logits.sum(), asked)
        assert bool(gradient.abs().sum() > 0)

    def test_does_not_depend_on_the_features_scale_and_place(self, features: np.ndarray, labels: np.ndarray):
        moved = features * np.logspace(2, -2, WIDTH, dtype=np.float32) - 3
        plain = linear_probe(features[:COUNT], labels[:COUNT], features[COUNT:], labels[COUNT:])
        other = linear_probe(moved[:COUNT], labels[:COUNT], moved[COUNT:], labels[COUNT:])
        assert abs(plain.accuracy - other.accuracy) < 0.005

    def test_the_strength_is_chosen_without_the_test_set(self, features: np.ndarray, labels: np.ndarray):
        right = linear_probe(features[:COUNT], labels[:COUNT], features[COUNT:], labels[COUNT:])
        wrong = linear_probe(features[:COUNT], labels[:COUNT], features[COUNT:], (labels[COUNT:] + 1) % CLASSES)
        assert (right.strength, right.validation_accuracy) == (wrong.strength, wrong.validation_accuracy)
        assert right.accuracy > 0.9
        assert wrong.accuracy < 0.1

    def test_where_noise_outnumbers_images_a_stronger_hold_is_chosen(self, labels: np.ndarray):
        generator = np.random.default_rng(3)
        noise = generator.normal(size=(1200, 300)).astype(np.float32)
        noise[:, :CLASSES] += 2 * np.eye(CLASSES, dtype=np.float32)[labels]
        parts = noise[:400], labels[:400], noise[400:], labels[400:]
        probe, weak = linear_probe(*parts), linear_probe(*parts, strengths=[1e-5])
        assert probe.strength > 1e-3
        assert probe.accuracy > weak.accuracy

    def test_features_that_are_constant_or_copies_do_no_harm(self, features: np.ndarray, labels: np.ndarray):
        more = np.concatenate([features, features[:, :4], np.full((2 * COUNT, 2), 7, np.float32)], 1)
        assert linear_accuracy(more[:COUNT], labels[:COUNT], more[COUNT:], labels[COUNT:]) > 0.95


class TestSolution:
    @pytest.mark.parametrize("strength", [1e-1, 1e-4])
    def test_is_the_optimum_of_the_problem_as_it_is_stated(self, features: np.ndarray, labels: np.ndarray, strength: float):
        x, y = torch.from_numpy(features), torch.from_numpy(labels)
        ((_, found),) = _Problem(x, y, CLASSES).solutions([strength])
        standard = (x.double() - x.double().mean(0)) / x.double().std(0, correction=0)
        weights = found.double().requires_grad_()
        loss = functional.cross_entropy(standard @ weights[:-1] + weights[-1], y) + strength / 2 * weights[:-1].square().sum()
        loss.backward()
        assert weights.grad.abs().max() < 1e-3


class TestSplit:
    def test_has_every_image_once_and_depends_on_the_seed_alone(self):
        train, held_out = split(50, 0.2, seed=3)
        assert len(held_out) == 10
        assert sorted([*train, *held_out]) == list(range(50))
        assert np.array_equal(held_out, split(50, 0.2, seed=3)[1])
        assert not np.array_equal(held_out, split(50, 0.2, seed=4)[1])
