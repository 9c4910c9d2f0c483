"""Why a member is not taken."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """A member that was not taken."""

    code: str
    """For programs."""
    reason: str
    """For people."""
