"""How good predictions are, with what chance has to do with it. M: test images, C: classes, from 0."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]

_Z95 = 1.959963984540054
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""97.5% quantile of Student's t at 1, 2, … degrees of freedom."""


@dataclass(frozen=True)
class Interval:
    """A mean and where it lies with 95% confidence."""

    mean: float
    low: float
    high: float


def student(values: list[float]) -> Interval:
    """Mean of independent values, by Student's t. One value says nothing of how it varies: its interval is itself."""
    mean = float(np.mean(values))
    freedom = len(values) - 1
    if not freedom:
        return Interval(mean, mean, mean)
    quantile = _T95[freedom - 1] if freedom <= len(_T95) else _Z95
    half = quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def wilson(right: int, count: int) -> Interval:
    """A share of `count` independent trials (Wilson, "Probable Inference", JASA 1927)."""
    share = right / count
    scale = 1 + _Z95**2 / count
    middle = (share + _Z95**2 / (2 * count)) / scale
    half = _Z95 / scale * math.sqrt(share * (1 - share) / count + _Z95**2 / (4 * count**2))
    return Interval(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def confusion(truth: Labels, predicted: Labels, classes: int) -> npt.NDArray[np.int64]:
    """int64 (C, C): how many images of the row's class were taken for the column's."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def scores(truth: Labels, predicted: Labels, classes: int) -> dict[str, Any]:
    """Figures of the predicted classes (M,), 0 to 1.

    `accuracy` with `interval` (Wilson, 95%), `balanced_accuracy` (mean recall of the classes), `macro_f1`; and `confusion`, (C, C),
    rows the truth.
    """
    matrix = confusion(truth, predicted, classes)
    hit, of_class, said = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    there = of_class > 0
    recall = hit[there] / of_class[there]
    f1 = 2 * hit[there] / (of_class[there] + said[there])
    found = wilson(int(hit.sum()), len(truth))
    return {
        "accuracy": found.mean,
        "interval": [found.low, found.high],
        "balanced_accuracy": float(recall.mean()),
        "macro_f1": float(f1.mean()),
        "confusion": matrix.tolist(),
    }
