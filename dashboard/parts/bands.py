"""Curves with 95% intervals around them, over a logarithmic axis: how accurate something is by its labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from dashboard.parts.charts import PALETTE, options

_PERCENT = "value => value == null ? '' : value + '%'"


@dataclass(frozen=True)
class Point:
    """A mean with its interval."""

    place: float
    """Labels per class."""
    mean: float
    """0 to 1."""
    low: float
    """Lower end of the 95% interval."""
    high: float
    """Upper end."""

    @property
    def told(self) -> str:
        """`81.3% (79.0 to 83.5)`."""
        return f"{self.mean:.1%} ({100 * self.low:.1f} to {100 * self.high:.1f})"


@dataclass(frozen=True)
class Banded:
    """A curve and the band around it."""

    name: str
    points: Sequence[Point]


def banded_chart(curves: Sequence[Banded], chance: float | None, told: str) -> ui.echart:
    """Draw accuracy by labels per class.

    Args:
        curves: each with a name of its own.
        chance: accuracy of guessing, 0 to 1.
        told: what there is to see, for who cannot see it.
    """
    chart = ui.echart(drawn(curves, chance)).style(f"height: {300 + 22 * _rows(curves)}px; width: 100%").props("role=img")
    chart.props["aria-label"] = told
    return chart


def drawn(curves: Sequence[Banded], chance: float | None) -> dict[str, Any]:
    """What ECharts draws it from. The places of the points are the only marks of the lower axis; the other has its own."""
    series: list[dict[str, object]] = []
    for number, curve in enumerate(curves):
        series += _series(curve, PALETTE[number % len(PALETTE)], number, chance if not number else None)
    found = options(series, legend=True)
    places = [point.place for curve in curves for point in curve.points]
    axis = {**found["xAxis"], "type": "log", "name": "labels per class", "nameLocation": "middle", "nameGap": 24}
    axis |= {"min": min(places, default=1) * 0.9, "max": max(places, default=10) * 1.1, "nameTextStyle": axis["axisLabel"]}
    axis |= {"axisLabel": {**axis["axisLabel"], "customValues": sorted(set(places))}}
    found["xAxis"] = axis
    found["yAxis"]["axisLabel"] = {**found["yAxis"]["axisLabel"], "formatter": "{value}%"}
    found["tooltip"] = {**found["tooltip"], ":valueFormatter": _PERCENT}
    found["grid"] = {"left": 8, "right": 16, "top": 22 + 22 * _rows(curves), "bottom": 22, "containLabel": True}
    found["legend"] = {**found["legend"], "data": [curve.name for curve in curves]}
    found.pop("dataZoom")
    return found


def _rows(curves: Sequence[Banded]) -> int:
    """Rows of the legend."""
    return -(-len(curves) // 2)


def _series(curve: Banded, color: str, number: int, level: float | None) -> list[dict[str, object]]:
    """The line, and two more that ECharts piles up to its band."""
    silent = {
        "type": "line",
        "stack": f"band {number}",
        "symbol": "none",
        "silent": True,
        "lineStyle": {"opacity": 0},
        "tooltip": {"show": False},
        "z": 1,
    }
    lows = [(point.place, _percent(point.low)) for point in curve.points]
    heights = [(point.place, round(_percent(point.high) - _percent(point.low), 2)) for point in curve.points]
    line: dict[str, object] = {
        "type": "line",
        "name": curve.name,
        "data": [(point.place, _percent(point.mean)) for point in curve.points],
        "color": color,
        "symbol": "circle",
        "symbolSize": 6,
        "lineStyle": {"width": 2, "color": color},
        "emphasis": {"disabled": True},
        "z": 3,
    }
    if level is not None:
        line["markLine"] = {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"color": "#858a95", "type": "dashed", "width": 1},
            "label": {"show": False},
            "data": [{"yAxis": _percent(level)}],
        }
    return [
        {**silent, "name": f"{curve.name} from", "data": lows},
        {**silent, "name": f"{curve.name} to", "data": heights, "areaStyle": {"color": color, "opacity": 0.1}},
        line,
    ]


def _percent(share: float) -> float:
    return round(100 * min(1.0, max(0.0, share)), 1)
