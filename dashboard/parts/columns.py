"""Amounts by day as columns, with a sentence and a table for who cannot see them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from nicegui import html

Amounts = Mapping[str, float]
"""By series, such as `GPU` and `CPU`."""


def columns(days: Sequence[tuple[date, Amounts]], series: Sequence[str], shown: Callable[[float], str], told: str) -> None:
    """Columns, one a day, in the order given.

    Args:
        days: all that are shown; those without an amount are gaps.
        series: what the amounts are of; the first one stands at the bottom and has the accent's colour.
        shown: writes an amount.
        told: the same in a sentence.
    """
    most = max((sum(amounts.values()) for _, amounts in days), default=0) or 1
    with html.figure().classes("daily"):
        with html.div(role="img").classes("daily-plot") as plot:
            plot.props["aria-label"] = told
            html.span(f"{shown(most)} a day").classes("daily-most small quiet num")
            for day, amounts in days:
                words = ", ".join(f"{name} {shown(amounts[name])}" for name in series if amounts.get(name))
                with html.div(title=f"{day:%a %d %b}: {words or 'nothing'}").classes("daily-day"):
                    for name in reversed(series):
                        if amounts.get(name):
                            html.div().style(f"height: {max(1.5, 100 * amounts[name] / most):.1f}%").props["data-series"] = name
        with html.div().classes("daily-days small quiet num").props("aria-hidden=true"):
            html.span(f"{days[0][0]:%d %b}")
            html.span("today")
        if len(series) > 1:
            with html.figcaption().classes("daily-key small quiet"):
                for name in series:
                    with html.span():
                        html.span().props(f'data-series="{name}" aria-hidden=true')
                        html.span(name)
