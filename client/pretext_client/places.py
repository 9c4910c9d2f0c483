"""Where the server is and which key it takes, if nobody says: the environment, a profile, or a server on this machine."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pretext_client import profiles
from pretext_client.errors import PretextError

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Place:
    """A server and the key to it."""

    url: str
    key: str | None = field(repr=False)
    announced: bool = False
    """Whether a server on this machine says that it runs there."""

    @property
    def local(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(self.url)


def data_dir(environment: Mapping[str, str]) -> Path:
    """Where a server on this machine keeps its things."""
    if given := environment.get("PRETEXT_DATA_DIR"):
        return Path(given)
    base = environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "pretext-server"


def find(
    url: str | None = None,
    api_key: str | None = None,
    environment: Mapping[str, str] | None = None,
    profile: str | None = None,
) -> Place:
    """Find a server and its key.

    What is given goes before `PRETEXT_URL` and `PRETEXT_API_KEY`, those before the profile that `pretext login` has stored, and
    that before the files of a server on this machine. A stored key is sent to its own server alone. A profile that is asked for by
    its name goes before the environment.

    Raises:
        PretextError: the URL is none, or there is no such profile.
    """
    environment = os.environ if environment is None else environment
    folder = data_dir(environment)
    stored = profiles.chosen(profile, environment)
    if profile and stored is not None:
        url, api_key = url or stored.url, api_key or (stored.api_key if url in {None, stored.url} else None)
    running = checked(found) if (found := _content(folder / "url")) else None
    url = checked(url or environment.get("PRETEXT_URL") or (stored.url if stored else None) or running or DEFAULT_URL)
    key = api_key or environment.get("PRETEXT_API_KEY")
    if not key and stored is not None and stored.url == url:
        key = stored.api_key
    if not key and is_loopback(url):
        key = _content(folder / "api-key")
    return Place(url, key.strip() if key else None, announced=url == running)


def checked(url: str) -> str:
    """A URL without its last slash.

    Raises:
        PretextError: it is not one that a server can have.
    """
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise PretextError(f"{url!r} is not the URL of a server; write it like {DEFAULT_URL}")
    return url


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise PretextError(f"cannot read {path}: {error.strerror}; give the key with --api-key or PRETEXT_API_KEY") from error
