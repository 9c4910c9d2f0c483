from collections.abc import Callable

import numpy as np
import pytest

from ssl_core.verdict import Course, collapse, judge, last_gain

STEPS = 2000
COURSE = Course(steps=STEPS, per_epoch=100, metric="loss", rises=False, chance=None, learning_rate=0.1)


def series(level: Callable[[float], float], noise: float, seed: int, count: int = 100) -> list[tuple[int, float]]:
    """Figures by step, of a course from 0 to 1."""
    draws = np.random.default_rng(seed).normal(0, noise, count)
    return [(round((place + 1) * STEPS / count), level(place / count) + float(draws[place])) for place in range(count)]


def columns(points: list[tuple[int, float]], name: str = "loss") -> dict[str, list[float]]:
    return {"step": [step for step, _ in points], name: [value for _, value in points]}


def share_still_gaining(level: Callable[[float], float], noise: float) -> float:
    gained = [last_gain(series(level, noise, seed)) for seed in range(50)]
    return float(np.mean([step is not None and STEPS - step < 0.2 * STEPS for step in gained]))


class TestLastGain:
    @pytest.mark.parametrize("noise", [0.002, 0.02])
    def test_goes_on_while_it_improves(self, noise: float):
        assert share_still_gaining(lambda at: 1 + np.exp(-2 * at), noise) > 0.9

    @pytest.mark.parametrize("noise", [0.002, 0.02, 0.1])
    def test_noise_alone_is_no_gain(self, noise: float):
        assert share_still_gaining(lambda _: 1.0, noise) < 0.1

    @pytest.mark.parametrize("noise", [0.002, 0.02])
    def test_is_found_where_it_was(self, noise: float):
        found = [last_gain(series(lambda at: 1 + max(0, 0.5 - at), noise, seed)) or 0 for seed in range(50)]
        assert 0.45 * STEPS < float(np.median(found)) < 0.65 * STEPS

    def test_a_spike_and_its_end_are_none(self):
        assert share_still_gaining(lambda at: 1 + max(0, 0.5 - at) + (0.8 < at < 0.85), 0.02) < 0.2

    def test_of_what_rises(self):
        assert (last_gain(series(lambda at: at, 0.01, 0), rises=True) or 0) > 0.9 * STEPS
        assert (last_gain(series(lambda at: -at, 0.01, 0), rises=True) or 0) < 0.1 * STEPS

    def test_is_not_told_of_a_few_figures(self):
        assert last_gain(series(lambda at: at, 0.01, 0, count=7)) is None


GOOD = {"step": [0, 1, 2, 3], "feature_std": [0.2, 0.5, 0.5, 0.5], "rankme": [30.0, 35.0, 40.0, 40.0]}


class TestCollapse:
    def test_is_seen_twice_in_a_row(self):
        fallen = {**GOOD, "feature_std": [0.2, 0.5, 0.06, 0.06], "rankme": [30.0, 35.0, 2.0, 1.5]}
        assert collapse(fallen) == 2
        once = {**GOOD, "feature_std": [0.2, 0.5, 0.06, 0.3], "rankme": [30.0, 35.0, 2.0, 20.0]}
        assert collapse(once) is None
        assert collapse(GOOD) is None

    def test_to_a_point_is_seen_at_once(self):
        assert collapse({**GOOD, "feature_std": [0.2, 0.5, 0.5, 0.001]}) == 3

    def test_an_untrained_network_is_none(self):
        assert collapse({"step": [0], "feature_std": [0.001], "rankme": [1.0]}) is None


class TestVerdict:
    def test_improves(self):
        found = judge(COURSE, columns(series(lambda at: 2 - at, 0.01, 0)), {})
        assert (found.state, "loss went from 1.9" in found.sentence) == ("improving", True)

    def test_has_stopped_improving(self):
        history = columns(series(lambda at: 1 + max(0, 0.5 - at), 0.01, 0)[:80])
        found = judge(COURSE, history, {})
        assert found.state == "plateau"
        assert found.sentence.startswith(f"no gain since epoch {-(-found.step // 100)} (step {found.step})")
        assert 1000 <= found.step <= 1300

    def test_a_collapse_comes_first(self):
        measured = {"step": [0, 400, 800], "feature_std": [0.2, 0.001, 0.001], "rankme": [30.0, 1.0, 1.0]}
        found = judge(COURSE, columns(series(lambda at: 2 - at, 0.01, 0)), measured)
        assert (found.state, found.step) == ("collapsed", 400)
        assert "0.025 instead of 0.1" in found.sentence

    def test_guessing_is_told_after_a_while(self):
        course = Course(steps=STEPS, per_epoch=100, metric="loss", rises=False, chance=0.25, learning_rate=0.1)
        points = series(lambda _: 1.4, 0.01, 0)
        history = {**columns(points), "accuracy": [0.26] * len(points)}
        assert judge(course, history, {}).state == "at_chance"
        early = {name: values[:20] for name, values in history.items()}
        assert judge(course, early, {}).state != "at_chance"

    def test_goes_by_the_rank_where_the_loss_does_not_tell(self):
        course = Course(steps=STEPS, per_epoch=100, metric="rankme", rises=True, chance=None, learning_rate=0.1)
        measured = columns(series(lambda at: 10 + 20 * at, 0.1, 0, count=30), "rankme")
        found = judge(course, columns(series(lambda _: 0.7, 0.1, 0)), measured)
        assert (found.state, "rankme went from" in found.sentence) == ("improving", True)

    def test_says_nothing_too_early(self):
        assert judge(COURSE, columns([(20, 1.0)]), {}).state == "too_early"
