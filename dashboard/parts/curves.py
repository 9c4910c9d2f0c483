"""The curves of a training, live."""

import time
from collections.abc import Sequence

from nicegui import html
from pretext_client.types import Job, Metric, Task

from dashboard import words
from dashboard.calls import ask
from dashboard.parts import basics
from dashboard.parts.charts import FIGURE_NAMES, SMOOTHING, Curve, Look

_SECONDS = 1.0
"""Between two looks at the figures: a screen needs no more."""


class Curves:
    """All figures of a training as charts; the loss first, those that the server invents later last."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._look = Look()
        self._curves: dict[str, Curve] = {}
        self._last = 0
        self._looked = 0.0
        self._chance: float | None = None
        with basics.card() as self._card:
            with html.div().classes("card-head"):
                html.h2("Curves")
                self._controls()
            self._waiting = html.p("The first figures come after a few steps.").classes("quiet")
            self._main = html.div().classes("charts main-charts")
            self._more = html.div().classes("charts")
            html.p("Ctrl and the wheel zoom, dragging moves.").classes("quiet small pointer-only")

    def _controls(self) -> None:
        with html.div().classes("actions"):
            smoothing = html.select().classes("field compact").props('aria-label="Smoothing"')
            with smoothing:
                for name, share in SMOOTHING.items():
                    html.option(f"Smoothing: {name.lower()}", value=str(share)).props("selected" if not share else "")
            smoothing.on("change", lambda event: self._smooth(float(event.args)), js_handler="(e) => emit(e.target.value)")
            with html.label().classes("switch"):
                log = html.input_(type="checkbox").on(
                    "change", lambda event: self._scale(bool(event.args)), js_handler="(e) => emit(e.target.checked)"
                )
                html.span("Log scale")
            log.props('aria-label="Log scale"')

    async def load(self) -> None:
        """Read what there is already."""
        task = self._job.spec.get("task", {}).get("name")
        tasks: list[Task] = await ask(lambda pretext: list(pretext.tasks()))
        self._chance = next((one.chance_accuracy for one in tasks if one.name == task), None)
        await self._read()

    async def refresh(self) -> None:
        """Read what is new, at most once a second."""
        if time.monotonic() - self._looked >= _SECONDS:
            await self._read()

    async def _read(self) -> None:
        self._looked = time.monotonic()
        job_id, last = self._job.id, self._last
        found: list[Metric] = await ask(lambda pretext: list(pretext.jobs.metrics(job_id, after=last)))
        if found:
            self._take(found)

    def _take(self, found: Sequence[Metric]) -> None:
        self._last = found[-1].step
        changed: set[str] = set()
        for metric in found:
            for name, value in metric.values.items():
                if value is not None:
                    self._curve(name).points.append((metric.step, value))
                    changed.add(name)
        self._waiting.set_visibility(False)
        for name in sorted(changed, key=self._place):
            curve = self._curves[name]
            if curve.chart is None:
                self._draw(curve)
            else:
                curve.refresh(self._look)

    def _curve(self, name: str) -> Curve:
        if name not in self._curves:
            level = self._chance if name == "accuracy" else None
            self._curves[name] = Curve(name, FIGURE_NAMES.get(name, words.named(name)), level)
        return self._curves[name]

    def _draw(self, curve: Curve) -> None:
        main = curve.name in {"loss", "accuracy"}
        with self._main if main else self._more, html.figure().classes("chart"):
            html.figcaption(curve.title)
            curve.draw(self._look, height="260px" if main else "150px")

    def _place(self, name: str) -> tuple[int, str]:
        known = list(FIGURE_NAMES)
        return (known.index(name) if name in known else len(known), name)

    def _smooth(self, share: float) -> None:
        self._look.smoothing = share
        self._redraw()

    def _scale(self, log: bool) -> None:
        self._look.log = log
        self._redraw()

    def _redraw(self) -> None:
        for curve in self._curves.values():
            curve.refresh(self._look)
