"""Samples as points of a plane: coloured by class, with a picture at the pointer, and to be clicked."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from nicegui import events, ui
from pretext_client.types import EmbeddingMap, MapPoint

from dashboard import words
from dashboard.files import samples_url
from dashboard.parts.charts import PALETTE, WORDS, options

_MOST_CLASSES = 2 * len(PALETTE)
"""That colours and shapes can tell apart."""
_SHAPES = ("circle", "triangle")
_LEGEND = {"type": "scroll", "itemHeight": 9, "itemWidth": 9, "pageTextStyle": {"color": WORDS}, "pageIconColor": WORDS}
_NOBODY = "without a label"
_MARKED = "chosen"


class Plane:
    """The chart. `mark` shows where some samples are.

    Args:
        found: the points.
    """

    on_choose: Callable[[int], Any] | None = None
    """Is called with the index of a sample that was clicked."""

    def __init__(self, found: EmbeddingMap) -> None:
        self._places = {point.index: (point.x, point.y) for point in found.data}
        groups = _groups(found.data)
        drawn = options([_series(name, points, number) for number, (name, points) in enumerate(groups)], legend=len(groups) > 1)
        drawn["series"].append(_marks([]))
        axis = {"type": "value", "scale": True, "axisLabel": {"show": False}, "axisTick": {"show": False}}
        axis |= {"axisLine": {"show": False}, "splitLine": drawn["yAxis"]["splitLine"]}
        drawn["xAxis"], drawn["yAxis"] = axis, {**axis}
        drawn["grid"] = {"left": 6, "right": 6, "top": 36 if len(groups) > 1 else 8, "bottom": 6}
        drawn["legend"] = {**drawn["legend"], **_LEGEND, "data": [name for name, _ in groups]}
        drawn["legend"].pop("icon")
        base = json.dumps(samples_url(found.dataset_id) if found.dataset_id else "")
        drawn["tooltip"] = {**drawn["tooltip"], "trigger": "item", ":formatter": f"(point) => page.pointed(point, {base})"}
        zoom = {"type": "inside", "filterMode": "none", "zoomOnMouseWheel": "ctrl", "moveOnMouseMove": True}
        drawn["dataZoom"] = [{**zoom, "xAxisIndex": 0}, {**zoom, "yAxisIndex": 0}]
        self._chart = ui.echart(drawn, on_point_click=self._clicked).style("height: 420px; width: 100%")
        self._chart.props("role=img").props["aria-label"] = _told(found, groups)

    def mark(self, chosen: int, others: Sequence[int]) -> None:
        """Ring a sample, and others that belong to it, as far as they are among the points."""
        rings: list[dict[str, object]] = [
            {"value": self._places[index], "symbolSize": 20 if index == chosen else 13}
            for index in (chosen, *others)
            if index in self._places
        ]
        self._chart.options["series"][-1] = _marks(rings)
        self._chart.run_chart_method("setOption", {"series": [{"id": _MARKED, "data": rings}]})

    def _clicked(self, event: events.EChartPointClickEventArguments) -> Any:
        if self.on_choose is not None and isinstance(event.value, list) and len(event.value) > 2:
            return self.on_choose(int(event.value[2]))
        return None


def can_be_coloured(points: Sequence[MapPoint]) -> bool:
    """Whether there are classes, and few enough to be told apart."""
    return 1 < len({point.label for point in points}) <= _MOST_CLASSES


def _groups(points: Sequence[MapPoint]) -> list[tuple[str, list[MapPoint]]]:
    """By class, in order of their names, if they can be told apart; else all in one."""
    if not can_be_coloured(points):
        return [("samples", list(points))]
    names = sorted({point.label for point in points}, key=lambda name: (name is None, name or ""))
    return [(_NOBODY if name is None else name, [point for point in points if point.label == name]) for name in names]


def _series(name: str, points: Sequence[MapPoint], number: int) -> dict[str, object]:
    return {
        "type": "scatter",
        "name": name,
        "data": [{"value": [point.x, point.y, point.index], "name": point.label or ""} for point in points],
        "symbol": _SHAPES[number // len(PALETTE)],
        "symbolSize": 7,
        "itemStyle": {"color": PALETTE[number % len(PALETTE)], "opacity": 0.75},
    }


def _marks(rings: Sequence[dict[str, object]]) -> dict[str, object]:
    ring = {"color": "transparent", "borderColor": "#e0574f", "borderWidth": 2}
    return {"type": "scatter", "id": _MARKED, "silent": True, "z": 5, "symbol": "circle", "itemStyle": ring, "data": list(rings)}


def _told(found: EmbeddingMap, groups: Sequence[tuple[str, Sequence[MapPoint]]]) -> str:
    said = f"Map of {words.count(len(found.data), 'sample')} by their embeddings"
    if len(groups) < 2:
        return said
    middles = []
    for name, points in groups:
        x, y = (sum(values) / len(points) for values in zip(*((point.x, point.y) for point in points), strict=True))
        middles.append(f"{name} around {x:.2f}, {y:.2f}")
    return f"{said}: {'; '.join(middles)}"
