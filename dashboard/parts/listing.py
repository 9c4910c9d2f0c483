"""A list that shows a page of records at a time, stays up to date, and never reads everything."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from nicegui import html, ui
from pretext_client import PretextError
from pretext_client.client import Pretext

from dashboard.calls import Trouble, ask, to_sign_in, told
from dashboard.parts.basics import button

PAGE = 25
BUTTONS = "Actions"
"""Heading of a column of buttons, which only screen readers need to be told of."""


class _Record(Protocol):
    @property
    def id(self) -> str: ...


RecordT = TypeVar("RecordT", bound=_Record)
Fetch = Callable[[Pretext, str | None, int], Sequence[RecordT]]
"""Reads at most so many records behind one: `lambda pretext, after, limit: list(pretext.jobs.list(after=after, limit=limit))`."""
Show = Callable[[RecordT], Callable[[RecordT], None]]
"""Builds the cells of a row, and gives what brings them up to date. A row is kept when its record changes, so that the
keyboard's focus stays where it is."""


class Listing(Generic[RecordT]):
    """A table that shows the newest records, more on demand, and what becomes of them.

    `await Listing(fetch, show, columns=("Name", "State"), label="Jobs", none=…).start()`

    Args:
        fetch: reads a page.
        show: builds a row's cells: one `html.td()` a column.
        columns: headings.
        label: what screen readers call the table.
        none: builds what stands here if there is nothing.
        every: seconds between two looks.
    """

    def __init__(
        self,
        fetch: Fetch[RecordT],
        show: Show[RecordT],
        *,
        columns: Sequence[str],
        label: str,
        none: Callable[[], None],
        every: float = 2.0,
    ) -> None:
        self._fetch, self._show, self._none, self._every = fetch, show, none, every
        self._shown: dict[str, tuple[RecordT, Callable[[RecordT], None]]] = {}
        self._rows: dict[str, html.tr] = {}
        self._last: str | None = None
        self._empty = html.div()
        with html.div().classes("table-wrap") as self._whole:
            with html.table().classes("listing"):
                html.caption(label).classes("unseen")
                with html.thead(), html.tr():
                    for column in columns:
                        html.th(column, scope="col").classes("of-buttons" if column == BUTTONS else "")
                self._body = html.tbody()
            self._more = button("Show more", self._show_more, look="ghost more")
        self._whole.set_visibility(False)

    async def start(self) -> None:
        """Show the first page, and keep it up to date.

        Raises:
            PretextError: it cannot be read.
        """
        await self._look(first=True)
        ui.timer(self._every, self._look_again)

    async def refresh(self) -> None:
        """Look at once, after something was changed on this page."""
        await self._look_again()

    async def _look_again(self) -> None:
        try:
            await self._look()
        except PretextError as error:  # the server is away, and the next look may find it again; or nobody is signed in any more
            if Trouble.of(error).signed_out:
                to_sign_in()

    async def _look(self, *, first: bool = False) -> None:
        """Read the newest records again: new ones come on top, and those that changed are brought up to date."""
        found = list(await ask(lambda pretext: self._fetch(pretext, None, PAGE + 1)))
        more, found = len(found) > PAGE, found[:PAGE]
        self._drop_gone(found, whole=not more)
        for place, record in enumerate(found):
            self._put(record, place)
        if first or self._last is None:
            self._last = found[-1].id if found else None
            self._more.set_visibility(more)
        self._settle()

    async def _show_more(self) -> None:
        with told():
            after = self._last
            found = list(await ask(lambda pretext: self._fetch(pretext, after, PAGE + 1)))
            more, found = len(found) > PAGE, found[:PAGE]
            for record in found:
                self._put(record, len(self._rows))
            self._last = found[-1].id if found else self._last
            self._more.set_visibility(more)

    def _put(self, record: RecordT, place: int) -> None:
        known = self._shown.get(record.id)
        if known is None:
            with self._body:
                row = html.tr()
            with row:
                update = self._show(record)
            row.move(target_index=min(place, len(self._rows)))
            self._rows[record.id] = row
            self._shown[record.id] = record, update
        elif known[0] != record:
            known[1](record)
            self._shown[record.id] = record, known[1]

    def _drop_gone(self, found: Sequence[RecordT], *, whole: bool) -> None:
        """Rows of the first page whose records are there no longer; behind it, nobody has looked."""
        there = {record.id for record in found}
        oldest = found[-1].id if found else ""
        for id_ in [id_ for id_ in self._rows if id_ not in there and (whole or id_ > oldest)]:
            self._rows.pop(id_).delete()
            del self._shown[id_]

    def _settle(self) -> None:
        self._whole.set_visibility(bool(self._rows))
        if self._rows:
            self._empty.clear()
        elif not list(self._empty):
            with self._empty:
                self._none()
