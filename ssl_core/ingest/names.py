"""Names of archive members. They are labels for people and never become paths on our disk."""

import unicodedata

from ssl_core.ingest.refusal import Refusal

_LONGEST = 500
_CLUTTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of control and formatting characters."""
_JOINERS = frozenset("\u200c\u200d")
"""Formatting characters that some scripts and emoji cannot be written without."""
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the direction of text, so that `gnp.exe` reads `exe.png`."""


def decoded(name: str) -> str:
    """A name whose bytes were not UTF-8, read as zip reads such names: maybe as other letters, but never two names as one."""
    if name.isascii():
        return name
    raw = name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def parts_of(name: str) -> tuple[str, ...]:
    """The folders of a member and its own name. Backslashes separate too: some Windows programs write them."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in {"", "."})


def is_clutter(name: str) -> bool:
    """Whether a member is a hidden file or something that a desktop left behind."""
    return any((part.startswith(".") and part != "..") or part.lower() in _CLUTTER for part in parts_of(name))


def refusal_of(name: str) -> Refusal | None:
    """Why a member of this name is refused, if it is."""
    plain = name.replace("\\", "/")
    if plain.startswith("/") or plain[1:2] == ":":
        return Refusal("unsafe_name", "its name is an absolute path")
    if ".." in plain.split("/"):
        return Refusal("unsafe_name", "its name leads out of the archive (..)")
    if not name.isprintable() and any(unicodedata.category(character) == "Cc" or character in _TURNING for character in name):
        return Refusal("unsafe_name", "its name has control characters")
    return None


def printable(name: str) -> str:
    """A name that can be shown and stored anywhere."""
    if not name.isprintable():
        name = "".join(_shown(character) for character in name)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2]}…{name[-_LONGEST // 2 :]}"


def _shown(character: str) -> str:
    hidden = unicodedata.category(character) in _INVISIBLE and character not in _JOINERS
    return "\N{REPLACEMENT CHARACTER}" if hidden else character
