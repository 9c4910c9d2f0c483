"""Members of an upload that were refused: how many for which reason, and each by its name, more on demand."""

from itertools import islice

from nicegui import html
from pretext_client.types import Refused, Report

from dashboard import words
from dashboard.calls import ask, told
from dashboard.parts import basics

_PAGE = 50


class RefusedFiles:
    """A card with a table.

    `RefusedFiles(report)`: as `datasets.report` gives it, with at least one that was refused.
    """

    def __init__(self, report: Report) -> None:
        self._dataset_id = report.dataset_id
        self._seen = 0
        counts = report.report.get("refused_by_reason") or {}
        with basics.card(f"Refused files ({report.report.get('refused') or len(report.refused):,})", "The rest is used."):
            if counts:
                html.p(words.named(", ".join(f"{code} ({number:,})" for code, number in counts.items())))
            with html.div(role="region", tabindex="0").classes("scroll") as place, html.table().classes("listing small-listing"):
                place.props["aria-label"] = "Refused files"
                html.caption("Refused files").classes("unseen")
                with html.thead(), html.tr():
                    html.th("File", scope="col")
                    html.th("Why", scope="col")
                self._body = html.tbody()
            self._more = basics.button("Show more", self._show_more, look="ghost more", label="Show more refused files")
        self._add(report.refused[:_PAGE], more=report.more_refused or len(report.refused) > _PAGE)

    async def _show_more(self) -> None:
        with told():
            after = self._seen
            found = await ask(lambda pretext: list(islice(pretext.datasets.refused(self._dataset_id, after=after), _PAGE + 1)))
            self._add(found[:_PAGE], more=len(found) > _PAGE)

    def _add(self, found: tuple[Refused, ...] | list[Refused], *, more: bool) -> None:
        with self._body:
            for one in found:
                with html.tr():
                    html.td(one.name).classes("mono")
                    html.td(one.reason)
        self._seen += len(found)
        self._more.set_visibility(more)
