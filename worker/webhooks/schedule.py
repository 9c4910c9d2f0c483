"""When something is sent again that was not taken: the schedule of Standard Webhooks, three days long."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_MINUTE, _HOUR = 60, 3600
PAUSES = (5, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)
"""Seconds after the first, the second, … failed attempt."""
_JITTER = 0.2
_LONGEST = 24 * _HOUR


def pause(tries: int, retry_after: str | None) -> timedelta | None:
    """How long to wait after `tries` failed attempts, a little by chance so that not all come at once; none: it is over.

    A receiver that says when to come again is not asked before, but within a day.
    """
    if tries > len(PAUSES):
        return None
    seconds = PAUSES[tries - 1] * random.uniform(1, 1 + _JITTER)  # noqa: S311  nothing to guess
    return timedelta(seconds=max(seconds, min(asked_seconds(retry_after), _LONGEST)))


def asked_seconds(retry_after: str | None) -> float:
    """What a `Retry-After` header asks for, in seconds: a number or a date. 0 if there is none, or none that can be read."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
