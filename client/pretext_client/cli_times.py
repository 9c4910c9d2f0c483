"""Days and times on the command line."""

from datetime import date, datetime, timedelta

import typer


def moment_of(text: str, option: str, *, end: bool = False) -> datetime:
    """A day or a time, on the clock of this machine unless it names a zone. What is none is wrong usage.

    Args:
        text: such as `2026-11-02`, `2026-11-02 10:00` or `2026-11-02T10:00Z`.
        option: what it was given to.
        end: whether a day stands for its end, and not for its beginning.
    """
    try:
        found = datetime.fromisoformat(text)
        if end and _is_day(text):
            found += timedelta(days=1)
        return found.astimezone()
    except (ValueError, OverflowError) as error:
        good = "write a day, 2026-11-02, or a time, 2026-11-02T10:00"
        raise typer.BadParameter(f"{text!r} is no time; {good}", param_hint=option) from error


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False
