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
    """Whether the interval lies above the labels that the pretrained encoder has."""


def labels_saved(labels: Sequence[float], pretrained: Sequence[Sequence[float]], scratch: Sequence[Sequence[float]]) -> list[Saved]:
    """Compare two learning curves.

    Between its points, the accuracy of training from scratch is taken to rise evenly with the logarithm of the labels, and never to
    fall. Intervals come from 4,000 redraws of all means, each by Student's t around what was measured.

    Args:
        labels: labels per class, P, rising.
        pretrained: accuracies (P, R), 0 to 1.
        scratch: accuracies (P, R).
    """
    places = np.log(np.asarray(labels, float))
    ours, theirs = np.array([np.mean(row) for row in pretrained]), np.array([np.mean(row) for row in scratch])
    generator = np.random.default_rng(0)
    drawn_ours, drawn_theirs = (_redrawn(rows, generator) for rows in (pretrained, scratch))
    needed = _needed(places, np.tile(theirs, (len(ours), 1)), ours)
    found = []
    for number, count in enumerate(labels):
        draws = _needed(places, drawn_theirs, drawn_ours[:, number])
        low, high = np.percentile(draws, [_LOW, _HIGH], method="lower")
        middle, lowest, highest = (None if math.isinf(value) else math.exp(value) for value in (needed[number], low, high))
        helps = bool(low > places[number] + 1e-9)
        found.append(Saved(float(count), float(ours[number]), float(theirs[number]), middle, lowest, highest, helps))
    return found


def _redrawn(rows: Sequence[Sequence[float]], generator: np.random.Generator) -> Floats:
    """Means (4000, P) as they could have been, by Student's t."""
    columns = []
    for row in rows:
        spread = float(np.std(row, ddof=1)) / math.sqrt(len(row)) if len(row) > 1 else 0.0
        columns.append(np.mean(row) + spread * generator.standard_t(max(1, len(row) - 1), _SAMPLES))
    return np.stack(columns, 1)


def _needed(places: Floats, curves: Floats, accuracies: Floats) -> Floats:
    """Where curves (K, P), made to rise, reach accuracies (K,): infinite if they do not, the first place if all of them do."""
    rising = risen(curves)
    above = (rising < accuracies[:, None] - _ROUNDING).sum(1)  # points below the accuracy
    row, right = np.arange(len(rising)), np.clip(above, 1, max(1, len(places) - 1))
    if len(places) == 1:
        return np.where(above == 0, places[0], np.inf)
    low, high = rising[row, right - 1], rising[row, right]
    share = (accuracies - low) / np.where(high > low, high - low, 1)
    between = places[right - 1] + share * (places[right] - places[right - 1])
    found: Floats = np.where(above == 0, places[0], np.where(above == len(places), np.inf, between))
    return found


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
