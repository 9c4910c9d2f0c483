"""Labels saved: how often do the 95% intervals hold what is true, on learning curves whose truth is known?

Run it by `python -m benchmarks.intervals [--simulations 400]`. Training from scratch follows a logistic curve over the logarithm of
the labels, from 10% to 90%, between whose points nothing is straight; the pretrained encoder follows the same with a known factor
fewer labels. Each draw is off by chance. Counted are the intervals at each number of labels, those of the sentence (chosen among
them, so it could be too good), and how often a network compared with itself is said to help at any of the seven points.
"""

import argparse
import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from ssl_core.evaluate.labels_saved import Saved, labels_saved

LABELS = np.array([1, 5, 20, 100, 400, 1000, 5000], float)
_LOWEST, _HIGHEST, _HALF = 0.1, 0.9, 300.0

Floats = npt.NDArray[np.float64]


def curve(labels: Floats, slope: float) -> Floats:
    """Accuracy of training from scratch."""
    found: Floats = _LOWEST + (_HIGHEST - _LOWEST) / (1 + (_HALF / labels) ** slope)
    return found


def simulated(
    generator: np.random.Generator, *, slope: float, factor: float, noise: float, draws: int
) -> tuple[list[list[float]], list[list[float]]]:
    """Accuracies of the pretrained encoder, which needs a factor fewer labels, and of training from scratch."""
    theirs, ours = curve(LABELS, slope), curve(LABELS * factor, slope)
    spread = noise * 2 * np.sqrt(theirs * (1 - theirs))
    pretrained, scratch = (
        (mean[:, None] + spread[:, None] * generator.standard_normal((len(LABELS), draws))).clip(0, 1) for mean in (ours, theirs)
    )
    return pretrained.tolist(), scratch.tolist()


def covers(saved: Saved, truth: float) -> bool:
    """Whether an interval holds the truth. "More than all" holds everything from all labels on."""
    low = LABELS[-1] if saved.low is None else saved.low
    return bool(low <= truth * (1 + 1e-6) and truth <= (math.inf if saved.high is None else saved.high) * (1 + 1e-6))


def told(saved: Sequence[Saved]) -> Saved | None:
    """The comparison that the sentence is about."""
    helping = [one for one in saved if one.helps]
    return max(helping, key=lambda one: (one.low or LABELS[-1]) / one.labels, default=None)


def main() -> None:
    """Simulate and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=400)
    asked = parser.parse_args()
    print("| draws | noise | slope | factor | covered, points 1 to 6 | of all | in the sentence | helps by mistake |")
    print("|---|---|---|---|---|---|---|---|")
    for draws, noise, slope, factor in product((3, 5), (0.01, 0.03), (0.5, 1.0), (2.0, 4.0)):
        generator = np.random.default_rng(0)
        hits, said, right, wrong = np.zeros(len(LABELS)), 0, 0, 0
        for _ in range(asked.simulations):
            saved = labels_saved(LABELS.tolist(), *simulated(generator, slope=slope, factor=factor, noise=noise, draws=draws))
            hits += [covers(one, one.labels * factor) for one in saved]
            chosen = told(saved)
            said += chosen is not None
            right += chosen is not None and covers(chosen, chosen.labels * factor)
            itself = labels_saved(LABELS.tolist(), *simulated(generator, slope=slope, factor=1, noise=noise, draws=draws))
            wrong += told(itself) is not None
        shares = hits[:-1] / asked.simulations  # the last point lies behind all labels, where there is nothing to be wrong at
        points = " ".join(f"{share:.2f}" for share in shares)
        sentence = f"{right / said:.3f}" if said else ""
        print(
            f"| {draws} | {noise} | {slope} | {factor:g} | {points} | {shares.mean():.3f} | {sentence} "
            f"| {wrong / asked.simulations:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
