"""Workers: which are alive, how much they take, and what they run. For the server's administrators."""

from collections.abc import Callable
from itertools import islice

from nicegui import html
from pretext_client.types import Worker

from dashboard.pages.base import Page
from dashboard.parts import basics
from dashboard.parts.listing import Listing

_MOST = 25
"""As many as a list shows at once; the newest come first."""


async def build() -> None:
    """The list, live; the newest of them, since no server has many."""
    basics.heading("Workers", "Processes that carry out the jobs.")
    await Listing(
        lambda pretext, _after, _limit: list(islice(pretext.workers(), _MOST)),
        _row,
        columns=("Worker", "State", "Device", "Slots", "Runs"),
        label="Workers",
        none=_none,
    ).start()


def _none() -> None:
    basics.empty("No worker has been here lately", "Start one with `pretext-server worker`; queued jobs wait for it.", "workers")


def _row(worker: Worker) -> Callable[[Worker], None]:
    with html.td():
        html.span(worker.host)
        html.div(worker.id).classes("quiet small mono")
    with html.td().classes("tight"):
        state = basics.state(_state(worker))
    html.td(worker.device).classes("tight")
    html.td(", ".join(f"{lane}: {slots}" for lane, slots in worker.slots.items())).classes("tight num")
    runs = html.td().props('data-label="runs"')
    _show_runs(runs, worker)

    def update(now: Worker) -> None:
        basics.set_state(state, _state(now))
        runs.clear()
        _show_runs(runs, now)

    return update


def _state(worker: Worker) -> str:
    return "alive" if worker.alive else "gone"


def _show_runs(place: html.td, worker: Worker) -> None:
    with place:
        for job_id in worker.running:
            html.a(job_id, href=f"/jobs/{job_id}").classes("mono small")
        if not worker.running:
            html.span("nothing").classes("quiet")


PAGE = Page("/workers", "Workers", build, icon="workers", needs="operator")
