"""Ids: a prefix that says what it is, then 26 characters that sort by time of creation."""

import secrets
import threading
import time
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CHARACTERS = 26
_RANDOM_BITS, _TIME_BITS = 80, 48
_STEP_BITS = 64
"""So that an id cannot be guessed from the one before it."""


_lock = threading.Lock()
_last = 0


def prefix_of(table: str) -> str | None:
    """What ids of a table begin with, if there may be so many that it is worth to look for a time in them."""
    return {"jobs": "job", "audit_entries": "audit", "webhook_deliveries": "dlv"}.get(table)


def at_time(prefix: str, moment: datetime) -> str:
    """The least id that can be made at a moment, within the times that there are."""
    milliseconds = min(max(int(moment.timestamp() * 1000), 0), (1 << _TIME_BITS) - 1)
    return f"{prefix}_{_digits(milliseconds << _RANDOM_BITS)}"


def new_id(prefix: str) -> str:
    """Make an id: `prefix_`, 48 bits of Unix time in milliseconds, 80 random bits, in Crockford's base 32.

    Each is greater than all that this process made before: of one millisecond, and while the clock is put back, by a random step.
    """
    global _last  # noqa: PLW0603  what the next id has to be greater than
    drawn = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    with _lock:
        _last = number = drawn if drawn > _last else _last + 1 + secrets.randbits(_STEP_BITS)
    return f"{prefix}_{_digits(number)}"


def _digits(number: int) -> str:
    return "".join(_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(_CHARACTERS)))
