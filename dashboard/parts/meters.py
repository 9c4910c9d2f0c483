"""How much is used of what there is: a bar against a bound, with words that do not need the bar."""

from collections.abc import Callable

from nicegui import html

from dashboard.parts.basics import set_text

_NEARLY = 0.8


class Meter:
    """A bar from nothing to a bound.

    Args:
        name: what is measured.
        shown: writes an amount.
        when_full: what happens when the bound is reached, and what to do then.
    """

    def __init__(self, name: str, shown: Callable[[float], str], when_full: str) -> None:
        self._shown, self._when_full = shown, when_full
        with html.div().classes("meter"):
            with html.div().classes("meter-words"):
                label = html.span(name).classes("meter-name")
                self._said = html.span("").classes("num quiet")
            self._bar = html.div(role="meter").classes("bar")
            self._bar.props.update({"aria-labelledby": f"c{label.id}", "aria-valuemin": "0", "aria-valuemax": "100"})
            with self._bar:
                self._inner = html.div()
            self._note = html.p("").classes("small meter-note")

    def set(self, amount: float, bound: float | None) -> None:
        """Show an amount; without a bound, in words alone."""
        self._bar.set_visibility(bound is not None)
        if bound is None:
            set_text(self._said, f"{self._shown(amount)} · no bound is set")
            set_text(self._note, "")
            return
        share = amount / bound if bound else 1.0
        kind = "full" if share >= 1 else "nearly" if share >= _NEARLY else "fine"
        said = f"{self._shown(amount)} of {self._shown(bound)}"
        set_text(self._said, f"{said} · {share:.0%}")
        set_text(
            self._note, "" if kind == "fine" else f"{'Used up:' if kind == 'full' else 'Nearly used up. Then,'} {self._when_full}"
        )
        if self._bar.props.get("aria-valuetext") == said and self._bar.props.get("data-kind") == kind:
            return
        self._bar.props.update({"aria-valuenow": f"{min(100, 100 * share):.0f}", "aria-valuetext": said, "data-kind": kind})
        self._inner.style(f"width: {min(100.0, 100 * share):.1f}%")
