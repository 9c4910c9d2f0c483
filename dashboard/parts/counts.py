"""Counts of classes as bars, of which each is a line that can be read out."""

from collections.abc import Callable, Sequence

from nicegui import html


def bars(counts: Sequence[tuple[str, float]], shown: Callable[[float], str] = "{:,.0f}".format) -> None:
    """Names, bars and numbers, in the order given. `shown` writes a number."""
    most = max((number for _, number in counts), default=0) or 1
    longest = max((len(name) for name, _ in counts), default=0)
    with html.ul().classes("counts").style(f"--names: {longest + 1}ch"):
        for name, number in counts:
            with html.li():
                html.span(name).classes("count-name").props["title"] = name
                with html.span().classes("count-bar").props("aria-hidden=true"):
                    html.span().style(f"width: {100 * number / most:.1f}%")
                html.span(shown(number)).classes("num count-number")
