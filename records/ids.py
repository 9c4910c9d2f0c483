"""Ids: a prefix that says what it is, then 26 characters that sort by time of creation."""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CHARACTERS = 26
_RANDOM_BITS = 80


def new_id(prefix: str) -> str:
    """Make an id: `prefix_`, 48 bits of Unix time in milliseconds, 80 random bits, in Crockford's base 32."""
    number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    digits = (_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(_CHARACTERS)))
    return f"{prefix}_{''.join(digits)}"
