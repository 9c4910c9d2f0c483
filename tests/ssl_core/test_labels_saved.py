import numpy as np
import pytest

from ssl_core.evaluate.labels_saved import labels_saved, risen, sentence

LABELS = [1.0, 5.0, 20.0, 100.0, 400.0]


def flat(accuracies: list[float], draws: int = 3) -> list[list[float]]:
    return [[accuracy] * draws for accuracy in accuracies]


SCRATCH = [0.2, 0.3, 0.4, 0.5, 0.6]


class TestNeeded:
    def test_is_read_off_the_other_curve(self):
        found = labels_saved(LABELS, flat([0.4, 0.5, 0.6, 0.6, 0.6]), flat(SCRATCH))
        assert [one.needed for one in found[:3]] == pytest.approx([20, 100, 400])
        assert all(one.helps for one in found[:4])
        assert (found[4].needed, found[4].helps) == (pytest.approx(400), False)

    def test_lies_between_the_points_by_the_logarithm(self):
        found = labels_saved(LABELS, flat([0.45, 0.45, 0.45, 0.5, 0.6]), flat(SCRATCH))
        assert found[0].needed == pytest.approx((20 * 100) ** 0.5)

    def test_is_unknown_where_all_labels_do_not_suffice(self):
        found = labels_saved(LABELS, flat([0.7] * 5), flat(SCRATCH))
        assert all((one.needed, one.low, one.high, one.helps) == (None, None, None, True) for one in found)

    def test_is_fewer_where_pretraining_hurts(self):
        found = labels_saved(LABELS, flat([0.2, 0.2, 0.3, 0.4, 0.5]), flat(SCRATCH))
        assert [one.needed for one in found] == pytest.approx([1, 1, 5, 20, 100])
        assert not any(one.helps for one in found)

    def test_a_curve_that_falls_is_made_to_rise(self):
        assert risen(np.array([0.3, 0.2, 0.4, 0.1, 0.6])).tolist() == pytest.approx([0.25, 0.25, 0.25, 0.25, 0.6])

    def test_intervals_cover_what_is_true(self):
        """In 100 simulated comparisons, the labels really needed lie in the 95% interval about as often as that says."""
        generator = np.random.default_rng(0)
        truth, spread, covered = 20 * 5 ** (0.25 / 0.25), 0.02, 0
        ours = np.array([0.3, 0.4, 0.5, 0.55, 0.6])
        for _ in range(100):
            pretrained, scratch = (
                [(mean + spread * generator.standard_normal(4)).tolist() for mean in curve] for curve in (ours, SCRATCH)
            )
            found = labels_saved(LABELS, pretrained, scratch)[2]
            covered += (found.low or np.inf) <= truth <= (found.high or np.inf)
        assert 0.9 <= covered / 100 <= 1

    @pytest.mark.parametrize("draws", [3, 5])
    def test_intervals_cover_what_lies_between_the_points_of_a_curve_that_is_not_straight(self, draws: int):
        """With a straight line between the points, five draws and this little noise 2% were covered at 20 labels per class."""
        labels = np.array([1, 5, 20, 100, 400, 1000, 5000], float)
        generator = np.random.default_rng(0)

        def curve(places: np.ndarray) -> np.ndarray:
            return 0.1 + 0.8 / (1 + 300 / places)

        covered = []
        for _ in range(40):
            ours, theirs = (
                curve(labels * factor)[:, None] + 0.008 * generator.standard_normal((len(labels), draws)) for factor in (2, 1)
            )
            found = labels_saved(labels.tolist(), ours.tolist(), theirs.tolist())[:-1]
            covered += [(one.low or labels[-1]) <= 2 * one.labels <= (one.high or np.inf) for one in found]
        assert 0.92 <= np.mean(covered) <= 0.985

    def test_noise_alone_saves_nothing_for_certain(self):
        """Of 100 comparisons of a network with itself, few claim that it helps; each has five points to be wrong at."""
        generator = np.random.default_rng(1)
        wrong = 0
        for _ in range(100):
            curves = ([(mean + 0.02 * generator.standard_normal(3)).tolist() for mean in SCRATCH] for _ in range(2))
            wrong += any(one.helps for one in labels_saved(LABELS, *curves))
        assert wrong / 100 <= 0.08


class TestSentence:
    def test_says_how_many_are_saved(self):
        saved = labels_saved(LABELS, flat([0.2, 0.3, 0.5, 0.5, 0.6]), flat(SCRATCH))
        assert sentence(saved, "fine-tuned") == (
            "With 20 labels per class your encoder, fine-tuned, is 50.0% accurate: what training from scratch needs 100 for "
            "(95%: 100 to 100)."
        )

    def test_says_when_all_labels_do_not_suffice(self):
        told = sentence(labels_saved(LABELS, flat([0.2, 0.7, 0.7, 0.7, 0.7]), flat(SCRATCH)), "fine-tuned")
        assert told.startswith("With 5 labels per class your encoder")
        assert "does not reach that with all 400" in told

    def test_says_as_plainly_that_nothing_is_saved(self):
        told = sentence(labels_saved(LABELS, flat([0.1, 0.2, 0.3, 0.4, 0.5]), flat(SCRATCH)), "fine-tuned")
        assert told.startswith("No labels are saved")
        assert "-10.0 to -10.0 points" in told
        assert "another task" in told
