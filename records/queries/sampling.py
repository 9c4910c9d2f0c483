"""Figures of a training with fewer points, and all extremes.

The steps are cut into buckets of equal width. Of each figure, a bucket keeps its lowest and its highest value; the first and the
last value of all stay in any case. That is M4 (Jugel, Jerzak, Hackenbroich and Markl, "M4: A Visualization-Oriented Time Series
Data Aggregation", VLDB 2014) without the first and last of each bucket. Rows are streamed, so that memory grows with the points
that are asked for, not with those that there are.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from records.models import JobMetric

FEWEST_POINTS, MOST_POINTS = 4, 10_000
_AT_A_TIME = 2000


class Point(NamedTuple):
    """A value of one figure."""

    step: int
    value: float


class Sampled(NamedTuple):
    """The figures of a step that were kept."""

    step: int
    epoch: int
    at: datetime
    values: dict[str, float]


class _Bucketed:
    """The points that are kept of one figure."""

    def __init__(self) -> None:
        self.kept: list[Point] = []
        self._bucket = -1
        self._low = self._high = self.last = Point(0, 0.0)

    def add(self, bucket: int, point: Point) -> None:
        if bucket != self._bucket:
            if self._bucket < 0:
                self.kept.append(point)
            else:
                self.kept += [self._low, self._high]
            self._bucket, self._low, self._high = bucket, point, point
        elif point.value < self._low.value:
            self._low = point
        elif point.value > self._high.value:
            self._high = point
        self.last = point

    def points(self) -> set[Point]:
        return {*self.kept, self._low, self._high, self.last}


def sampled(
    rows: Iterable[tuple[int, dict[str, Any]]], first: int, last: int, points: int, names: Sequence[str] | None
) -> dict[int, set[str]]:
    """Which figures are kept of which step.

    Args:
        rows: steps in order, with their figures.
        first: the first step.
        last: the last step.
        points: how many are kept of each figure at most, `FEWEST_POINTS` or more.
        names: of the figures; None for all.
    """
    buckets, width = (points - 2) // 2, last - first + 1
    found: dict[str, _Bucketed] = {}
    for step, values in rows:
        bucket = (step - first) * buckets // width
        for name in values if names is None else names:
            value = values.get(name)
            if isinstance(value, int | float):
                found.setdefault(name, _Bucketed()).add(bucket, Point(step, value))
    kept: dict[int, set[str]] = {}
    for name, one in found.items():
        for point in one.points():
            kept.setdefault(point.step, set()).add(name)
    return kept


def metrics(session: Session, job_id: str, points: int, *, after: int = 0, names: Sequence[str] | None = None) -> list[Sampled]:
    """At most so many points of each figure behind a step, in order of the steps."""
    of_job = (JobMetric.job_id == job_id, JobMetric.step > after)
    bounds = session.execute(select(func.min(JobMetric.step), func.max(JobMetric.step)).where(*of_job)).one()
    if None in bounds:
        return []
    first, last = bounds
    query = select(JobMetric.step, JobMetric.values).where(*of_job).order_by(JobMetric.step)
    rows = session.execute(query, execution_options={"yield_per": _AT_A_TIME})
    kept = sampled(((row[0], row[1]) for row in rows), first, last, points, names)
    shown = chain.from_iterable(_read(session, job_id, steps) for steps in _batches(sorted(kept)))
    return [
        Sampled(row.step, row.epoch, row.at, {name: value for name, value in row.values.items() if name in kept[row.step]})
        for row in shown
    ]


def _batches(steps: list[int]) -> Iterable[list[int]]:
    return (steps[place : place + _AT_A_TIME] for place in range(0, len(steps), _AT_A_TIME))


def _read(session: Session, job_id: str, steps: list[int]) -> list[JobMetric]:
    return list(
        session.scalars(select(JobMetric).where(JobMetric.job_id == job_id, JobMetric.step.in_(steps)).order_by(JobMetric.step))
    )
