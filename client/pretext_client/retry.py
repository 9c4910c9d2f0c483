"""When a request is sent again, and after how long. Knows no HTTP library, so that any transport can use it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PASSING = frozenset({408, 423, 429, 502, 503, 504})
"""Statuses that may be gone a moment later."""


@dataclass(frozen=True)
class Retry:
    """How patient a client is. By default it bears a server that is away for ten seconds, which is longer than a restart takes."""

    times: int = 8
    """How often a request is sent again."""
    times_unmet: int = 3
    """How often it is sent again to a server on this machine that has never answered, and left no file that says it runs."""
    first_seconds: float = 0.3
    """Wait before the first repetition; it doubles each time."""
    longest_seconds: float = 3.0
    """Bound of that wait."""
    longest_retry_after: float = 120.0
    """If the server asks for more than this many seconds of patience, its answer is final."""

    def pause(self, repetition: int, retry_after: float | None = None) -> float | None:
        """Seconds to wait before a repetition (from 0); None if there is no point in it.

        A third of the wait is drawn at random, so that clients that were cut off together do not come back together. It is never
        shorter than the server asks for, and a server that asks for less does not use up the repetitions at once.
        """
        if repetition >= self.times or (retry_after is not None and retry_after > self.longest_retry_after):
            return None
        wait = min(self.longest_seconds, self.first_seconds * 2.0**repetition)
        return max(retry_after or 0.0, wait * random.uniform(2 / 3, 1))  # noqa: S311  nothing is secret about a pause


def repeatable(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request may be sent twice: it changes nothing, or nothing more, or the server knows it again by its key."""
    return method in {"GET", "HEAD", "PUT"} or any(name.lower() == "idempotency-key" for name in headers)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to be left alone for; None if it does not say."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
