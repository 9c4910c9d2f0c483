"""Names of archive members. They are labels for people and never become paths on our disk."""

import unicodedata
from pathlib import PurePosixPath

from ssl_core.ingest.refusal import Refusal

_LONGEST = 500
_CLUTTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of control and formatting characters; those that turn the direction of text are among them."""


def parts_of(name: str) -> tuple[str, ...]:
    """The folders of a member and its own name. Backslashes separate too: some Windows programs write them."""
    return tuple(part for part in PurePosixPath(name.replace("\\", "/")).parts if part != "/")


def is_clutter(name: str) -> bool:
    """Whether a member is a hidden file or something that a desktop left behind."""
    return any((part.startswith(".") and part not in {".", ".."}) or part.lower() in _CLUTTER for part in parts_of(name))


def refusal_of(name: str) -> Refusal | None:
    """Why a member of this name is refused, if it is."""
    plain = name.replace("\\", "/")
    if plain.startswith("/") or plain[1:2] == ":":
        return Refusal("unsafe_name", "its name is an absolute path")
    if ".." in plain.split("/"):
        return Refusal("unsafe_name", "its name leads out of the archive (..)")
    if any(unicodedata.category(character) in _INVISIBLE for character in name):
        return Refusal("unsafe_name", "its name has control characters")
    return None


def printable(name: str) -> str:
    """A name that can be shown and stored anywhere."""
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _INVISIBLE else character for character in name
    )
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST // 2]}…{shown[-_LONGEST // 2 :]}"
