"""What an encoder finds alike: the nearest neighbours of any sample."""

import random
from collections.abc import Callable, Sequence

from nicegui import html
from pretext_client.types import Embedding, Neighbors

from dashboard.calls import ask, notice, told
from dashboard.files import thumbnail_url
from dashboard.parts import basics

_NEAREST = 12


class Alike:
    """A sample with its neighbours; each of them can be asked for its own.

    Args:
        embedding: the embeddings that are compared.
        last: the highest index of a sample.
        on_shown: is called with the sample that is shown, and its neighbours.
    """

    def __init__(self, embedding: Embedding, last: int, on_shown: Callable[[int, Sequence[int]], None]) -> None:
        self._embedding, self._last, self._on_shown = embedding, last, on_shown
        self._typed = ""
        with html.div().classes("card-head"):
            html.h3("The most alike")
            with html.form().classes("inline-form") as form:
                name = html.label("Sample").classes("quiet")
                self._field = html.input_(type="number", min="0", max=str(last), step="1").classes("field compact number")
                name.props["for"] = f"c{self._field.id}"
                html.button("Show", type="submit").classes("button small")
                basics.button("Any other", lambda: self.show(random.randrange(last + 1)), look="ghost small")  # noqa: S311
        self._field.on("input", lambda event: setattr(self, "_typed", str(event.args)), js_handler="(e) => emit(e.target.value)")
        form.on("submit.prevent", self._wanted)
        self._place = html.div().classes("alike").props("aria-live=polite")

    async def _wanted(self) -> None:
        if not self._typed.isdecimal() or int(self._typed) > self._last:
            notice(f"Type the number of a sample, from 0 to {self._last:,}.", bad=True)
            return
        await self.show(int(self._typed))

    async def show(self, index: int) -> None:
        """Show the neighbours of a sample."""
        embedding_id = self._embedding.id
        with told():
            found: Neighbors = await ask(lambda pretext: pretext.embeddings.neighbors(embedding_id, index, limit=_NEAREST))
            self._typed = str(index)
            self._field.props["value"] = self._typed
            self._field.update()
            self._place.clear()
            with self._place:
                self._show(found)
            self._on_shown(index, [one.index for one in found.data])

    def _show(self, found: Neighbors) -> None:
        with html.div().classes("alike-chosen"):
            self._picture(found.index, found.path, 160)
            with html.div():
                html.p(found.label or "No label").classes("strong")
                html.p(f"Sample {found.index:,}, {found.path}").classes("quiet small path")
                html.p(_in_words(found)).classes("small")
        with html.ul().classes("thumbs"):
            for one in found.data:
                with html.li(), html.button(type="button").classes("thumb") as button:
                    self._picture(one.index, "", 96)
                    html.span(" · ".join(filter(None, (one.label, f"{one.similarity:.2f}")))).classes(
                        "num same" if one.label is not None and one.label == found.label else "num"
                    )
                told_ = f"Sample {one.index}{f', {one.label}' if one.label else ''}, similarity {one.similarity:.2f}: show its own"
                button.props.update({"aria-label": told_, "title": one.path})
                button.on("click", lambda _, index=one.index: self.show(index))

    def _picture(self, index: int, alt: str, side: int) -> None:
        if self._embedding.dataset_id is None:
            html.span("").classes("no-picture")
            return
        image = html.img(src=thumbnail_url(self._embedding.dataset_id, index), alt=alt, loading="lazy")
        image.props(f"width={side} height={side}")


def _in_words(found: Neighbors) -> str:
    if found.label is None or not found.data:
        return "A click on one of them shows its own."
    same = sum(one.label == found.label for one in found.data)
    return f"{same} of the {len(found.data)} nearest {'is' if same == 1 else 'are'} of its class. A click on one shows its own."
