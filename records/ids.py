"""Ids: a prefix that says what it is, then 26 characters that sort by time of creation."""

import secrets
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CHARACTERS = 26
_RANDOM_BITS = 80
_STEP_BITS = 64
"""So that an id cannot be guessed from the one before it."""


_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """Make an id: `prefix_`, 48 bits of Unix time in milliseconds, 80 random bits, in Crockford's base 32.

    Each is greater than all that this process made before: of one millisecond, and while the clock is put back, by a random step.
    """
    global _last  # noqa: PLW0603  what the next id has to be greater than
    drawn = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    with _lock:
        _last = number = drawn if drawn > _last else _last + 1 + secrets.randbits(_STEP_BITS)
    digits = (_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(_CHARACTERS)))
    return f"{prefix}_{''.join(digits)}"
