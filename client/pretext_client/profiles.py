"""Servers that the user has logged in to, by name: one file that nobody else can read."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pretext_client.errors import PretextError

DEFAULT = "default"


@dataclass(frozen=True)
class Profile:
    """A server and the key to it."""

    url: str
    api_key: str | None = field(default=None, repr=False)


def config_file(environment: Mapping[str, str] | None = None) -> Path:
    """The file: `$XDG_CONFIG_HOME/pretext/profiles.json`, by default below `~/.config`."""
    base = (os.environ if environment is None else environment).get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "pretext" / "profiles.json"


def read(environment: Mapping[str, str] | None = None) -> dict[str, Profile]:
    """All profiles by their names.

    Raises:
        PretextError: the file cannot be read.
    """
    path = config_file(environment)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): Profile(str(one["url"]), one.get("api_key")) for name, one in found.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise PretextError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PretextError(f"{path} is damaged: delete it, and run `pretext login` again") from error


def chosen(name: str | None, environment: Mapping[str, str]) -> Profile | None:
    """The profile that is asked for, by name or by `PRETEXT_PROFILE`; else the one called `default`, if there is one.

    Raises:
        PretextError: there is none of this name.
    """
    asked = name or environment.get("PRETEXT_PROFILE")
    there = read(environment)
    if asked and asked not in there:
        known = f"there are {', '.join(sorted(there))}" if there else "there are none yet"
        raise PretextError(f"there is no profile {asked!r}; {known}. `pretext login --profile {asked}` makes it.")
    return there.get(asked or DEFAULT)


def write(profiles: Mapping[str, Profile], environment: Mapping[str, str] | None = None) -> Path:
    """Write all profiles; the file is the user's alone from its first byte on."""
    path = config_file(environment)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(f".{os.getpid()}.new")
    content = json.dumps({name: asdict(one) for name, one in profiles.items()}, indent=2) + "\n"
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    partial.replace(path)
    return path
