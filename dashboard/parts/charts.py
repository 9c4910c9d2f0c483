"""Curves of a training: zoom by wheel and drag, a log scale, smoothing, and words for who cannot see them.

Colours are such that they read on a light and on a dark ground, so that a change of the theme needs no new chart; what is HTML in a
chart, its tooltip, takes the page's own variables.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nicegui import ui

from dashboard import words

LINE = "#6f7ce8"
PALETTE = ("#6f7ce8", "#2f9e7d", "#d08a2e", "#c65f8b", "#4a9bd1", "#8a6fd1")
WORDS = "#858a95"
"""Colour of words in charts."""
_GRID = "rgba(130, 135, 150, 0.18)"
_MOST_POINTS = 600
FIGURE_NAMES = {
    "loss": "Loss",
    "accuracy": "Accuracy in the task",
    "knn_accuracy": "Accuracy of nearest neighbours",
    "rankme": "Effective rank (RankMe)",
    "alpha": "Decay of the spectrum (alpha-ReQ)",
    "feature_std": "Spread of the features",
    "uniformity": "Uniformity",
    "alignment": "Alignment",
    "learning_rate": "Learning rate",
    "images_per_second": "Images per second",
    "clips_per_second": "Clips per second",
}
"""What the figures of a training are called, those that matter most first."""
SMOOTHING = {"Off": 0.0, "Some": 0.6, "Strong": 0.9}

Points = list[tuple[float, float]]


@dataclass
class Look:
    """How all curves of a page are drawn."""

    smoothing: float = 0.0
    """Share of the past in the moving mean, 0 to 1."""
    log: bool = False


@dataclass
class Curve:
    """One figure over the steps, and its chart.

    Args:
        name: of the figure, as the server calls it.
        title: for people.
        level: a line to compare with, such as the accuracy of guessing.
    """

    name: str
    title: str
    level: float | None = None
    level_name: str = "guessing"
    points: Points = field(default_factory=list)
    chart: ui.echart | None = None

    def draw(self, look: Look, *, height: str = "240px") -> None:
        """Make the chart, here."""
        self.chart = ui.echart(self._options(look)).style(f"height: {height}; width: 100%").props("role=img")
        self._describe()

    def refresh(self, look: Look) -> None:
        """Show the points that there are now."""
        if self.chart is None:
            return
        self.chart.options.update(self._options(look))
        self._describe()
        self.chart.update()

    def _describe(self) -> None:
        assert self.chart is not None
        told = f"{self.title}: no figures yet"
        if self.points:
            (first, begin), (last, now) = self.points[0], self.points[-1]
            told = (
                f"{self.title}: {words.figure(now)} at step {last:,.0f}, from {words.figure(begin)} at step {first:,.0f}; "
                f"lowest {words.figure(min(y for _, y in self.points))}, highest {words.figure(max(y for _, y in self.points))}"
            )
        self.chart.props["aria-label"] = told

    def _options(self, look: Look) -> dict[str, object]:
        log = look.log and all(y > 0 for _, y in self.points)
        shown = thinned(self.points)
        smooth = thinned(smoothed(self.points, look.smoothing)) if look.smoothing else []
        raw = {"lineStyle": {"width": 1, "opacity": 0.35, "color": LINE}} if smooth else {"lineStyle": {"width": 2}}
        level = {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"color": WORDS, "type": "dashed", "width": 1},
            "label": {"formatter": self.level_name, "position": "insideEndTop", "color": WORDS},
            "data": [] if self.level is None else [{"yAxis": self.level}],
        }
        return options(
            [
                {**line(self.title, shown), **raw, "markLine": level},
                {**line(f"{self.title}, smoothed", smooth), "color": LINE, "lineStyle": {"width": 2}},
            ],
            log=log,
        )


def options(series: Sequence[dict[str, object]], *, log: bool = False, legend: bool = False) -> dict[str, Any]:
    """Options of a chart of lines over steps.

    Args:
        series: made by `line`.
        log: a logarithmic vertical axis.
        legend: whether the lines have to be told apart by name.
    """
    axis = {"axisLabel": {"color": WORDS, "hideOverlap": True}, "axisLine": {"show": False}, "axisTick": {"show": False}}
    return {
        "animation": False,
        "color": list(PALETTE),
        "grid": {"left": 8, "right": 16, "top": 34 if legend else 12, "bottom": 4, "containLabel": True},
        "legend": {
            "show": legend,
            "top": 0,
            "left": 0,
            "textStyle": {"color": WORDS, "lineHeight": 18},
            "icon": "roundRect",
            "itemHeight": 3,
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "var(--raised)",
            "borderColor": "var(--line)",
            "textStyle": {"color": "var(--text)", "fontSize": 12.5},
            "axisPointer": {"lineStyle": {"color": WORDS, "type": "solid", "opacity": 0.5}},
        },
        "xAxis": {"type": "value", "min": "dataMin", "max": "dataMax", "splitLine": {"show": False}, **axis},
        "yAxis": {
            "type": "log" if log else "value",
            "scale": True,
            "splitNumber": 4,
            "splitLine": {"lineStyle": {"color": _GRID}},
            **axis,
        },
        "dataZoom": [{"type": "inside", "filterMode": "none", "zoomOnMouseWheel": "ctrl", "moveOnMouseMove": True}],
        "series": list(series),
    }


def line(name: str, points: Points) -> dict[str, object]:
    """A line of a chart."""
    return {"type": "line", "name": name, "showSymbol": len(points) == 1, "data": points, "emphasis": {"disabled": True}}


def smoothed(points: Points, share: float) -> Points:
    """An exponential moving mean without the pull of its beginning to zero."""
    mean, weight, found = 0.0, 0.0, []
    for x, y in points:
        mean, weight = share * mean + (1 - share) * y, share * weight + (1 - share)
        found.append((x, mean / weight))
    return found


def thinned(points: Points) -> Points:
    """Few enough points for a screen: of each stretch the lowest and the highest, so that no spike is lost."""
    if len(points) <= _MOST_POINTS:
        return [(x, float(f"{y:.6g}")) for x, y in points]
    stretch = math.ceil(len(points) / (_MOST_POINTS // 2))
    kept: Points = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        kept += sorted({min(part, key=lambda one: one[1]), max(part, key=lambda one: one[1])})
    if kept[-1] != points[-1]:
        kept.append(points[-1])
    return [(x, float(f"{y:.6g}")) for x, y in kept]
