"""What keys and members may do, in words."""

from collections.abc import Sequence

WORDS = {
    "read": "Read: look and download",
    "write": "Write: upload, train and delete, too",
    "admin": "Admin: manage the project, too",
}
"""By scope, the narrowest first."""


def up_to(most: str) -> Sequence[tuple[str, str]]:
    """The scopes that somebody with a role can have keys for, to choose from."""
    scopes = list(WORDS)
    return [(one, WORDS[one]) for one in scopes[: scopes.index(most) + 1]]
