"""The figures of a whole training, at few enough steps to lie in a checkpoint, a configuration and a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

_MOST = 200
"""Points; with one more, each two beside each other become one."""
_DIGITS = 6


class History:
    """Means of figures over equal numbers of reports. It depends on the figures alone, not on where a training was interrupted.

    Args:
        state: as of `state`, to go on from.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self._every: int = state.get("every", 1)
        self._points: list[dict[str, float]] = [dict(point) for point in state.get("points", ())]
        self._sums: dict[str, float] = dict(state.get("sums", {}))
        self._count: int = state.get("count", 0)
        self._step: int = state.get("step", 0)

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Keep the figures of a report."""
        self._step = step
        self._count += 1
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if self._count == self._every:
            self._points.append(self._open)
            self._sums, self._count = {}, 0
        if len(self._points) > _MOST:
            last = self._points.pop()  # begins a pair that is not there yet
            self._points = [_mean(pair) for pair in zip(self._points[::2], self._points[1::2], strict=True)]
            self._sums = {name: value * self._every for name, value in last.items() if name != "step"}
            self._count = self._every
            self._every *= 2

    @property
    def _open(self) -> dict[str, float]:
        """The mean of what is not a point yet."""
        return {"step": self._step, **{name: value / self._count for name, value in self._sums.items()}}

    def state(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return {"every": self._every, "points": self._points, "sums": self._sums, "count": self._count, "step": self._step}

    def columns(self) -> dict[str, list[float | None]]:
        """The figures by name, and `step`, all of one length: in order of the steps, each the mean since the one before."""
        points = [*self._points, *([self._open] if self._count else [])]
        names = dict.fromkeys(name for point in points for name in point)
        return {name: [_short(point.get(name)) for point in points] for name in names}


def _mean(points: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of points with the same figures; its step is that of the last."""
    means = {name: sum(point[name] for point in points) / len(points) for name in points[0] if name != "step"}
    return {"step": points[-1]["step"], **means}


def _short(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else float(f"{value:.{_DIGITS}g}")
