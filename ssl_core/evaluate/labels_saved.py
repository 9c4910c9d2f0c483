"""How many labels a pretrained encoder saves: how many training from scratch would need to be as accurate.

P: numbers of labels per class at which accuracy was measured, R: draws of labels and of random weights at each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SAMPLES = 4000
_LOW, _HIGH = 2.5, 97.5
_ROUNDING = 1e-9
_HALVINGS = 24
_UNKNOWN = 0.25
"""Share of the difference between a straight line and the smooth curve by which the truth differs from the latter: what curves of
many shapes gave."""
YOURS = "your encoder"
"""What the encoder that is evaluated is called in a sentence."""


@dataclass(frozen=True)
class Saved:
    """What the pretrained encoder does with so many labels, beside training from scratch."""

    labels: float
    """Labels per class that the pretrained encoder has."""
    accuracy: float
    """What it reaches with them, mean over the draws, 0 to 1."""
    scratch_accuracy: float
    """What training from scratch reaches with as many."""
    needed: float | None
    """Labels per class that training from scratch needs to be as accurate; none if all that there are do not suffice."""
    low: float | None
    """Lower end of its 95% interval; none as above."""
    high: float | None
    """Upper end; none as above."""
    helps: bool
    """Whether more are needed for certain than the pretrained encoder has: with 97.5% at all numbers of labels together
    (Bonferroni), so that one may look for the best of them. The interval is of this number alone."""


def labels_saved(labels: Sequence[float], pretrained: Sequence[Sequence[float]], scratch: Sequence[Sequence[float]]) -> list[Saved]:
    """Compare two learning curves.

    Between its points, the accuracy of training from scratch is read off a smooth curve over the logarithm of the labels that never
    falls (Fritsch and Carlson, "Monotone Piecewise Cubic Interpolation", 1980). Intervals come from 4,000 redraws of the means, by
    Student's t with Welch's degrees of freedom, and of where between two points the curve lies: as far off as a quarter of what a
    straight line between them would change. `benchmarks/intervals.py` counts how often they cover what is true.

    Args:
        labels: labels per class, P, rising.
        pretrained: accuracies (P, R), 0 to 1.
        scratch: accuracies (P, R).
    """
    places = np.log(np.asarray(labels, float))
    ours, theirs = np.array([np.mean(row) for row in pretrained]), np.array([np.mean(row) for row in scratch])
    generator = np.random.default_rng(0)
    our_errors, their_errors = (np.array([_error(row) for row in rows]) for rows in (pretrained, scratch))
    freedom = max(1, min(len(row) for row in (*pretrained, *scratch)) - 1)
    needed = _needed(places, np.tile(theirs, (len(ours), 1)), ours)
    found = []
    for number, count in enumerate(labels):
        shares = _shares(places, needed[number])
        wide = _wide(np.append(shares * their_errors, our_errors[number]), freedom, generator)
        drawn_theirs = theirs + wide[:, None] * their_errors * generator.standard_normal((_SAMPLES, len(places)))
        drawn_ours = ours[number] + wide * our_errors[number] * generator.standard_normal(_SAMPLES)
        draws = _needed(places, drawn_theirs, drawn_ours, generator)
        low, high, lowest_of_all = np.percentile(draws, [_LOW, _HIGH, _LOW / len(labels)], method="lower")
        middle, lowest, highest = (None if math.isinf(value) else math.exp(value) for value in (needed[number], low, high))
        helps = bool(lowest_of_all > places[number] + 1e-9)
        found.append(Saved(float(count), float(ours[number]), float(theirs[number]), middle, lowest, highest, helps))
    return found


def _error(row: Sequence[float]) -> float:
    """Standard error of a mean; 0 where nothing is known of it."""
    return float(np.std(row, ddof=1)) / math.sqrt(len(row)) if len(row) > 1 else 0.0


def _shares(places: Floats, needed: float) -> Floats:
    """(P,): how much each point of the curve has to do with a place on it."""
    shares = np.zeros(len(places))
    right = int(np.clip(np.searchsorted(places, min(needed, places[-1])), min(1, len(places) - 1), len(places) - 1))
    left = max(0, right - 1)
    step = places[right] - places[left]
    share = (min(needed, places[-1]) - places[left]) / step if step > 0 else 1.0
    shares[left] = 1 - share
    shares[right] = share
    return shares


def _wide(errors: Floats, freedom: int, generator: np.random.Generator) -> Floats:
    """(4000,): by how much errors are to be widened, as they are estimated themselves (Welch, Biometrika 1947)."""
    squares = errors**2
    together = freedom * squares.sum() ** 2 / (squares**2).sum() if squares.any() else float(freedom)
    wide: Floats = np.sqrt(together / generator.chisquare(together, _SAMPLES))
    return wide


def _needed(places: Floats, curves: Floats, accuracies: Floats, generator: np.random.Generator | None = None) -> Floats:
    """Where curves (K, P), made to rise, reach accuracies (K,): infinite if they do not, the first place if all of them do.

    With a `generator`, places between two points are moved by chance, as far as it is unknown how the curve runs there.
    """
    rising = risen(curves)
    above = (rising < accuracies[:, None] - _ROUNDING).sum(1)  # points below the accuracy
    if len(places) == 1:
        return np.where(above == 0, places[0], np.inf)
    row, right = np.arange(len(rising)), np.clip(above, 1, len(places) - 1)
    low, high, step = rising[row, right - 1], rising[row, right], places[right] - places[right - 1]
    straight = np.clip((accuracies - low) / np.where(high > low, high - low, 1), 0, 1)
    slopes = _slopes(places, rising)
    share = _solved(low, high, step * slopes[row, right - 1], step * slopes[row, right], accuracies)
    if generator is not None:
        share = np.clip(share + _UNKNOWN * np.abs(share - straight) * generator.standard_normal(len(share)), 0, 1)
    between = places[right - 1] + share * step
    found: Floats = np.where(above == 0, places[0], np.where(above == len(places), np.inf, between))
    return found


def _slopes(places: Floats, rising: Floats) -> Floats:
    """Slopes (K, P) of the smooth curves through points (K, P) that rise: where one side is flat, so are they."""
    steps, secants = np.diff(places), np.diff(rising) / np.diff(places)
    if len(steps) == 1:
        return np.repeat(secants, 2, 1)
    before, after = secants[:, :-1], secants[:, 1:]
    one, other = 2 * steps[1:] + steps[:-1], steps[1:] + 2 * steps[:-1]
    flat = (before <= 0) | (after <= 0)
    inner = np.where(flat, 0, (one + other) / (one / np.where(flat, 1, before) + other / np.where(flat, 1, after)))
    ends = [
        np.clip(((2 * near + far) * here - near * there) / (near + far), 0, None)
        for near, far, here, there in (
            (steps[0], steps[1], secants[:, 0], secants[:, 1]),
            (steps[-1], steps[-2], secants[:, -1], secants[:, -2]),
        )
    ]
    return np.concatenate([ends[0][:, None], inner, ends[1][:, None]], 1)


def _solved(low: Floats, high: Floats, begins: Floats, ends: Floats, wanted: Floats) -> Floats:
    """Where, 0 to 1 of the way, cubics from `low` to `high` with these slopes reach what is wanted: by halving, as they rise."""
    rise, sought = high - low, wanted - low
    third, second = begins + ends - 2 * rise, 3 * rise - 2 * begins - ends
    share, step = np.full_like(low, 0.5), 0.25
    for _ in range(_HALVINGS):
        below = ((third * share + second) * share + begins) * share < sought
        share += np.where(below, step, -step)
        step /= 2
    return share


def risen(curves: Floats) -> Floats:
    """The curves (…, P) that never fall and are nearest to these, in squares.

    Barlow et al., "Statistical Inference under Order Restrictions", 1972: of the means of all stretches around a point, the
    smallest for each beginning, and of these the largest.
    """
    points = curves.shape[-1]
    sums = np.concatenate([np.zeros((*curves.shape[:-1], 1)), np.cumsum(curves, -1)], -1)
    found = np.empty_like(curves)
    for point in range(points):
        lowest = [
            np.min([(sums[..., end] - sums[..., begin]) / (end - begin) for end in range(point + 1, points + 1)], 0)
            for begin in range(point + 1)
        ]
        found[..., point] = np.max(lowest, 0)
    return found


def sentence(saved: Sequence[Saved], what: str, whose: str = YOURS) -> str:
    """The answer in words: at the number of labels at which most are saved for certain.

    Args:
        saved: by number of labels.
        what: what is done with the encoder, as in "fine-tuned, …".
        whose: what the encoder is called.
    """
    most = saved[-1].labels
    helping = [one for one in saved if one.helps]
    if not helping:
        return _no_help(saved, what, whose)
    best = max(helping, key=lambda one: (one.low or most) / one.labels)
    begins = f"With {_count(best.labels)} per class {whose}, {what}, is {best.accuracy:.1%} accurate"
    at_least = "more than all" if best.low is None else f"at least {_round(best.low)}"
    if best.needed is None:
        return (
            f"{begins}; training from scratch does not reach that with all {_round(most)} (95%: it needs {at_least}), and is "
            f"{best.scratch_accuracy:.1%} accurate with as many as {whose} had."
        )
    up_to = f"more than {_round(most)}" if best.high is None else _round(best.high)
    return f"{begins}: what training from scratch needs {_round(best.needed)} for (95%: {_round(best.low or most)} to {up_to})."


def _no_help(saved: Sequence[Saved], what: str, whose: str) -> str:
    differences = [100 * (one.accuracy - one.scratch_accuracy) for one in saved]
    begins = (
        f"No labels are saved for certain: with the same labels the accuracy of {whose}, {what}, differs from that of "
        f"training from scratch by {min(differences):+.1f} to {max(differences):+.1f} points"
    )
    if np.mean(differences) > 0 and whose == YOURS:
        return f"{begins}, and the draws vary as much. More `draws` would tell; pretraining longer, or on more images, may help."
    if whose != YOURS:
        return f"{begins}."
    return f"{begins}. Pretrain longer, on more unlabelled data, or by another task."


def _count(labels: float) -> str:
    return f"{_round(labels)} label" + ("" if round(labels) == 1 else "s")


def _round(labels: float) -> str:
    """Two digits that count, all below 100."""
    if labels < 10:
        return f"{labels:.1f}".removesuffix(".0")
    digits = max(0, math.floor(math.log10(labels)) - 1)
    return f"{round(labels, -digits):,.0f}"
