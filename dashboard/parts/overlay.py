"""One figure of several trainings in one chart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nicegui import html, ui
from nicegui.element import Element
from pretext_client import Pretext
from pretext_client.types import Job, Metric

from dashboard import words
from dashboard.calls import gathered
from dashboard.parts import basics, controls
from dashboard.parts.charts import FIGURE_NAMES, PALETTE, SMOOTHING, Points, line, options, smoothed

_POINTS = 400
"""Of each curve, as the server thins them: about one a pixel."""
_USUAL = "loss"


@dataclass
class _Training:
    """A job with its curves, by the name of the figure."""

    name: str
    job: Job
    curves: dict[str, Points] = field(default_factory=dict)


class Overlay:
    """Curves of several trainings over the steps, of one figure at a time.

    Args:
        jobs: by the name that each has in the chart.
    """

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._trainings = [_Training(name, job) for name, job in jobs.items()]
        self._figure, self._smoothing, self._log = _USUAL, 0.0, False
        with basics.card() as self.card:
            with html.div().classes("card-head"):
                html.h2("Curves")
                with html.div().classes("actions"):
                    self._choice = controls.choice("Figure", {}, "", self._show)
                    smooth = {str(share): f"Smoothing: {name.lower()}" for name, share in SMOOTHING.items()}
                    controls.choice("Smoothing", smooth, "0.0", lambda share: self._smooth(float(share)))
                    controls.switch("Log scale", self._scale)
            self._none = html.p("None of them has figures yet. They come after a few steps of training.").classes("quiet")
            self._place = html.div()
        self._chart: ui.echart | None = None
        self._offered: list[str] = []

    @property
    def live(self) -> bool:
        """Whether there is more to come."""
        return any(not one.job.ended for one in self._trainings)

    async def load(self) -> None:
        """Read the curves, thinned by the server; those of trainings that go on are read again each time."""
        wanted = [one for one in self._trainings if not one.job.ended or not one.curves]
        found = await gathered(_read(one.job.id) for one in wanted)
        for one, (job, curves) in zip(wanted, found, strict=True):
            one.job, one.curves = job, curves
        self._offer()
        self._draw()

    def _offer(self) -> None:
        names = dict.fromkeys(name for one in self._trainings for name in one.curves)
        known = [*(name for name in FIGURE_NAMES if name in names), *(name for name in names if name not in FIGURE_NAMES)]
        if known == self._offered:
            return
        self._offered = known
        if self._figure not in known and known:
            self._figure = known[0]
        controls.set_choices(self._choice, {name: title_of_figure(name) for name in known}, self._figure)

    def _draw(self) -> None:
        drawn = [one for one in self._trainings if one.curves.get(self._figure)]
        self._none.set_visibility(not drawn)
        if not drawn:
            return
        log = self._log and all(y > 0 for one in drawn for _, y in one.curves[self._figure])
        found = options([self._series(place, one) for place, one in enumerate(self._trainings)], log=log, legend=True)
        rows = -(-len(self._trainings) // 3)
        found["grid"] = {"left": 8, "right": 16, "top": 14 + 22 * rows, "bottom": 4, "containLabel": True}
        if self._chart is None:
            with self._place:
                self._chart = ui.echart(found).style("height: 380px; width: 100%").props("role=img")
        else:
            self._chart.options.clear()
            self._chart.options.update(found)
            self._chart.update()
        self._chart.props["aria-label"] = _told(
            title_of_figure(self._figure), [(one.name, one.curves[self._figure]) for one in drawn]
        )

    def _series(self, place: int, one: _Training) -> dict[str, Any]:
        points = one.curves.get(self._figure, [])
        shown = smoothed(points, self._smoothing) if self._smoothing else points
        color, dashed = look_of(place)
        style = {"width": 2, "color": color, "type": "dashed" if dashed else "solid"}
        rounded = [(x, float(f"{y:.6g}")) for x, y in shown]
        return {**line(one.name, rounded), "color": color, "lineStyle": style}

    def _show(self, figure: str) -> None:
        self._figure = figure
        self._draw()

    def _smooth(self, share: float) -> None:
        self._smoothing = share
        self._draw()

    def _scale(self, log: bool) -> None:
        self._log = log
        self._draw()


def title_of_figure(name: str) -> str:
    """What a figure is called."""
    return FIGURE_NAMES.get(name, words.named(name))


def look_of(place: int) -> tuple[str, bool]:
    """Colour of a curve, and whether it is dashed."""
    return PALETTE[place % len(PALETTE)], place >= len(PALETTE)


def swatch(place: int) -> Element:
    """A short line in a curve's colour."""
    color, dashed = look_of(place)
    made: Element = html.span().classes("swatch").props("aria-hidden=true")
    return made.style(f"border-top: 3px {'dashed' if dashed else 'solid'} {color}")


def _read(job_id: str) -> Callable[[Pretext], tuple[Job, dict[str, Points]]]:
    """Reads a job and its curves, those of an instant after it: what ends meanwhile is read once more."""
    return lambda pretext: (pretext.jobs.get(job_id), _curves(list(pretext.jobs.metrics(job_id, points=_POINTS))))


def _curves(metrics: Sequence[Metric]) -> dict[str, Points]:
    found: dict[str, Points] = {}
    for metric in metrics:
        for name, value in metric.values.items():
            if value is not None:
                found.setdefault(name, []).append((metric.step, value))
    return found


def _told(title: str, curves: Sequence[tuple[str, Points]]) -> str:
    said = [f"{name} ends at {words.figure(points[-1][1])} in step {points[-1][0]:,.0f}" for name, points in curves]
    return f"{title} of {words.count(len(curves), 'training')}: {'; '.join(said)}"
