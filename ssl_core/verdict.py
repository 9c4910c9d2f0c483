"""How a training goes, in plain words, judged by its figures alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import fmean, median, variance
from typing import Any, Literal

State = Literal["too_early", "improving", "plateau", "at_chance", "collapsed"]

PATIENCE = 0.2
"""Share of the planned steps without a gain after which a training has stopped improving."""
_FEWEST = 8
_WINDOW = 10
_SMALLEST_WINDOW = 3
_APART = 2.0
_ONE_SIDED = 1.645
"""95% quantile of a standard normal variable."""
_NORMAL = 0.6745
"""Median of the absolute value of a standard normal variable."""
_STILL_GUESSING, _NEAR_CHANCE = 0.3, 1.15
_ONE_POINT = 0.02
_FALLEN_STD, _FALLEN_RANK = 0.35, 0.15
_IN_A_ROW = 2

Columns = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class Verdict:
    """What is made of a training's figures."""

    state: State
    sentence: str
    """For people."""
    step: int
    """The step from which on it is so."""

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Course:
    """What a training is about, as far as a verdict depends on it."""

    steps: int
    """That are planned."""
    per_epoch: int
    metric: str
    """The figure that tells progress."""
    rises: bool
    """Whether more of it is better."""
    chance: float | None
    """Accuracy by guessing, if the task has one."""
    learning_rate: float
    patience: float = PATIENCE


def judge(course: Course, history: Columns, measured: Columns) -> Verdict:
    """Judge a training by its figures so far.

    Args:
        course: what it is about.
        history: figures of the training by name, and their `step`, in order.
        measured: figures of the features by name, and their `step`, in order, the first before the training.
    """
    fallen = collapse(measured)
    now = int(max([0, *_numbers(history, "step"), *_numbers(measured, "step")]))
    if fallen is not None:
        return Verdict(
            "collapsed",
            f"collapsed at step {fallen}: the features of all images have become nearly the same. Lower "
            f"optimizer.learning_rate ({course.learning_rate / 4:.3g} instead of {course.learning_rate:.3g}), lengthen "
            "optimizer.warmup, or use a larger batch",
            fallen,
        )
    accuracy = _series(history, "accuracy")
    if course.chance is not None and now >= _STILL_GUESSING * course.steps and len(accuracy) >= _SMALLEST_WINDOW:
        recent = fmean(value for _, value in accuracy[-_window(len(accuracy)) :])
        if recent < _NEAR_CHANCE * course.chance:
            return Verdict(
                "at_chance",
                f"learned nothing beyond guessing yet: after {now / course.steps:.0%} of the training the task is answered with "
                f"{recent:.1%} accuracy, and guessing has {course.chance:.1%}. Try another task, or change optimizer.learning_rate",
                now,
            )
    return _by_progress(course, _series(measured if course.metric in measured else history, course.metric), now)


def _by_progress(course: Course, series: list[tuple[int, float]], now: int) -> Verdict:
    called = course.metric.replace("_", " ")
    gained = last_gain(series, rises=course.rises)
    if gained is None:
        return Verdict("too_early", "too early to tell", now)
    width = _window(len(series))
    before, after = (fmean(value for _, value in part) for part in (series[:width], series[-width:]))
    slowly = (after > before) == course.rises and rising(series, gained, rises=course.rises)
    if now - gained >= course.patience * course.steps and not slowly:
        epoch = -(-gained // course.per_epoch)
        ended = "it was long enough" if now >= course.steps else "you can stop"
        return Verdict("plateau", f"no gain since epoch {epoch} (step {gained}), by the {called}: {ended}", gained)
    ended = "; a longer training would gain more" if now >= course.steps else ""
    return Verdict("improving", f"still improving: the {called} went from {before:.4g} to {after:.4g}{ended}", gained)


def last_gain(series: Sequence[tuple[int, float]], *, rises: bool = False) -> int | None:
    """The step of the last gain that noise does not explain; the first step if there was none, None if it is too early to tell.

    Means over a tenth of the figures are compared. A gain is one by more than twice the standard error of a difference between two
    such means beyond the best mean at the last gain; noise is read off how figures differ from the ones before them. Slow progress
    adds up until it is one.
    """
    if len(series) < _FEWEST:
        return None
    values = [-value if rises else value for _, value in series]
    width = _window(len(values))
    noise = median(abs(new - old) for old, new in pairwise(values)) / (_NORMAL * math.sqrt(2))
    needed = max(_APART * math.sqrt(2 / width) * noise, 1e-3 * abs(fmean(values)))
    best, at = fmean(values[:width]), series[width - 1][0]
    first = True
    for end in range(width + 1, len(values) + 1):
        level = fmean(values[end - width : end])
        if level < best - needed:
            best, at, first = level, series[end - 1][0], False
    return series[0][0] if first else at


def rising(series: Sequence[tuple[int, float]], since: int, *, rises: bool = False) -> bool:
    """Whether the second half of what came after a step is better than the first by more than noise explains.

    It finds slow progress that single tenths do not show.
    """
    values = [-value if rises else value for step, value in series if step > since]
    half = len(values) // 2
    if half < _SMALLEST_WINDOW:
        return False
    earlier, later = values[:half], values[-half:]
    noise = (variance(earlier) / half + variance(later) / half) ** 0.5
    return bool(fmean(earlier) - fmean(later) > _ONE_SIDED * noise)


def collapse(measured: Columns) -> int | None:
    """The step at which the features were found to be nearly the same for all images; None if they are not.

    That is so if their spread is next to nothing, or if it and their rank have twice in a row been found to be a small part of what
    they were.
    """
    spread, ranks = _series(measured, "feature_std"), _series(measured, "rankme")
    if len(spread) < 2 or len(ranks) != len(spread):
        return None
    found, times = None, 0
    highest, widest = spread[0][1], ranks[0][1]
    for (step, std), (_, rank) in zip(spread[1:], ranks[1:], strict=True):
        fallen = std < _FALLEN_STD * highest and rank - 1 < _FALLEN_RANK * (widest - 1)
        times = times + 1 if fallen or std < _ONE_POINT else 0
        found = (found or step) if times else None
        highest, widest = max(highest, std), max(widest, rank)
    return found if times >= _IN_A_ROW or spread[-1][1] < _ONE_POINT else None


def _window(count: int) -> int:
    return max(_SMALLEST_WINDOW, count // _WINDOW)


def _series(columns: Columns, name: str) -> list[tuple[int, float]]:
    pairs = zip(columns.get("step", ()), columns.get(name, ()), strict=False)
    return [(int(step), value) for step, value in pairs if step is not None and value is not None and math.isfinite(value)]


def _numbers(columns: Columns, name: str) -> list[float]:
    return [value for value in columns.get(name, ()) if value is not None]
