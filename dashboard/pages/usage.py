"""Usage: what the project stores and computes, and how much of it it may."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from nicegui import html, ui
from nicegui.element import Element
from pretext_client import PretextError
from pretext_client.types import Json, Project, Usage

from dashboard import words
from dashboard.calls import Trouble, ask, session, to_sign_in
from dashboard.pages.base import Page
from dashboard.parts import basics
from dashboard.parts.columns import columns
from dashboard.parts.counts import bars
from dashboard.parts.meters import Meter

_DAYS = 30
_LOOK_SECONDS = 5.0
_MOST_PROJECTS = 200
_DEVICES = {"cuda": "GPU", "cpu": "CPU"}


async def build(project: str = "") -> None:
    """Quotas, then what is stored and what was computed. The server's administrators can look at any project."""
    shown = await ask(lambda pretext: pretext.projects.get(project) if project else pretext.projects.current())
    with basics.heading("Usage", f"What “{shown.name}” stores and computes, against its quotas."):
        if session().rights.allow("operator"):
            await _choice(shown)
    board = _Board(shown)
    await board.look()

    async def look() -> None:
        try:
            await board.look()
        except PretextError as error:  # the next look may find the server again
            if Trouble.of(error).signed_out:
                to_sign_in()

    ui.timer(_LOOK_SECONDS, look, immediate=False)


async def _choice(shown: Project) -> None:
    """Another project, if there is one."""
    projects = await ask(lambda pretext: list(islice(pretext.projects.list(), _MOST_PROJECTS)))
    if len(projects) < 2:
        return
    select: Element = html.select().classes("field").props('aria-label="Project"')
    with select:
        for one in projects:
            html.option(one.name, value=one.id).props("selected" if one.id == shown.id else "")
    select.on("change", lambda event: ui.navigate.to(f"/usage?project={event.args}"), js_handler="(e) => emit(e.target.value)")


class _Board:
    """What is shown, and what brings it up to date."""

    def __init__(self, project: Project) -> None:
        self._id = project.id
        self._own = project.name == session().rights.project
        self._last: Usage | None = None
        with basics.card("Quotas"):
            _who_sets_them(project.id)
            self._bytes = Meter(
                "Storage", words.size, "uploads and trainings are refused. Delete datasets or models, or have it raised."
            )
            self._running = Meter("Jobs that run now", "{:,.0f}".format, "more jobs wait until one of these ends.")
            self._gpu = Meter(
                "GPU time, last 30 days", words.duration, "new jobs are refused until older days are over. Have it raised, or wait."
            )
        with html.div().classes("columns"):
            with basics.card("What is stored"):
                self._stored = html.div()
            with basics.card(f"Time of jobs, last {_DAYS} days", "Of attempts that have ended, by the day of their end in UTC."):
                self._days = html.div().classes("stack")

    async def look(self) -> None:
        """Read it, and show it.

        Raises:
            PretextError: it cannot be read.
        """
        project = await ask(lambda pretext: pretext.projects.get(self._id))
        usage: Usage = await ask(lambda pretext: pretext.projects.usage(self._id, days=_DAYS))
        self._bytes.set(float(usage.stored.get("total", 0)), project.most_bytes)
        self._running.set(usage.running, project.most_running)
        self._gpu.set(usage.gpu_seconds, project.most_gpu_seconds)
        if self._last is None or self._last.stored != usage.stored:
            self._stored.clear()
            with self._stored:
                _stored(usage, own=self._own)
        if self._last is None or self._last.days != usage.days:
            self._days.clear()
            with self._days:
                _days(usage, own=self._own)
        self._last = usage


def _who_sets_them(project_id: str) -> None:
    with html.p().classes("quiet"):
        if session().rights.allow("operator"):
            html.span("You set them by ")
            html.code(f"pretext projects update {project_id}")
        else:
            html.span("Administrators of the whole server set them.")


def _stored(usage: Usage, *, own: bool) -> None:
    amounts = [(words.named(name), float(size)) for name, size in usage.stored.items() if name != "total" and size]
    if not amounts:
        with basics.empty("Nothing is stored yet", "Uploaded pictures, and what is made of them, count here.", "datasets"):
            if own:
                basics.link("Upload pictures", "/datasets", look="button")
        return
    bars(sorted(amounts, key=lambda one: -one[1]), words.size)


def _days(usage: Usage, *, own: bool) -> None:
    if not usage.days:
        with basics.empty("No job has ended yet", "Trainings, and all other jobs, count here once they end.", "jobs"):
            if own:
                basics.link("New job", "/new-job", look="button")
        return
    by_day: dict[date, dict[str, float]] = defaultdict(dict)
    attempts = 0
    for one in usage.days:
        by_day[date.fromisoformat(one["day"])][_device(one)] = float(one["seconds"])
        attempts += one["jobs"]
    sums = {name: sum(day.get(name, 0) for day in by_day.values()) for name in _DEVICES.values()}
    said = " and ".join(f"{words.duration(seconds)} on {name}s" for name, seconds in sums.items() if seconds) or "no time"
    html.p(f"{words.count(attempts, 'attempt')}, {said}.")
    today = datetime.now(UTC).date()
    last = [today - timedelta(days=back) for back in range(_DAYS - 1, -1, -1)]
    series = [name for name, seconds in sums.items() if seconds]
    columns([(day, by_day.get(day, {})) for day in last], series, words.duration, f"Columns of the last {_DAYS} days: {said}.")
    with html.details().classes("plain-fold"):
        html.summary("By day, in figures")
        _table(usage)


def _device(day: Json) -> str:
    name = str(day["device"])
    return _DEVICES.get(name, name)


def _table(usage: Usage) -> None:
    with html.div(role="region", tabindex="0").classes("scroll") as place, html.table().classes("listing small-listing"):
        place.props["aria-label"] = "Time of jobs by day"
        html.caption("Time of jobs by day").classes("unseen")
        with html.thead(), html.tr():
            for heading in ("Day", "Device", "Time", "Attempts"):
                html.th(heading, scope="col")
        with html.tbody():
            for one in usage.days:
                with html.tr():
                    html.td(one["day"]).classes("num")
                    html.td(_device(one))
                    html.td(words.duration(one["seconds"])).classes("num")
                    html.td(words.count(one["jobs"], "attempt")).classes("num")


PAGE = Page("/usage", "Usage", build, icon="usage", needs="admin", apart=True)
