"""Who is signed in. The browser has a random token in an httponly cookie; the key stays on this side.

What is kept on disk is, for each session, a hash of its token and the key, encrypted with a pad that is made of the token: the file
alone gives no key away, and the cookie alone is of use to this page only.
"""

import json
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path

from pretext_client import ApiError, Pretext, Retry
from starlette.requests import HTTPConnection

IDLE_SECONDS = 14 * 24 * 3600
"""A session that nobody has used for so long is over."""
_RETRY = Retry(times=2, first_seconds=0.2, longest_seconds=1, longest_retry_after=2)
_LONGEST_KEY = 64
SCOPES = ("read", "write", "admin")


@dataclass(frozen=True)
class Rights:
    """What a key may do, and whose it is."""

    scope: str
    """`read`, `write` or `admin`."""
    operator: bool
    """Whether it administers the whole server."""
    project: str
    """Name of its project."""
    key_name: str = ""

    def allow(self, needed: str) -> bool:
        """Whether the key may do what needs `read`, `write`, `admin` or `operator`."""
        if needed == "operator":
            return self.operator and self.scope == "admin"
        return SCOPES.index(self.scope) >= SCOPES.index(needed)


@dataclass
class Session:
    """Somebody who is signed in, in one browser."""

    client: Pretext
    """Speaks to the API with their key; threads may share it."""
    rights: Rights
    digest: str
    """Names the session, without being of use to sign in with."""
    used_at: float = field(default_factory=time.time)
    ended: bool = False
    """Whether somebody has signed out of it; pages of it may still be open."""


def rights_of(client: Pretext) -> Rights:
    """What the client's key may do.

    Raises:
        ApiError: the key is not valid.
        ConnectionFailed: the API cannot be reached.
    """
    project, key = client.projects.current(), client.keys.current()
    return Rights(key.scope, project.operator, project.name, key.name)


class Sessions:
    """All that are signed in.

    Args:
        url: the API.
        file: where sessions outlive a restart of the page.
    """

    def __init__(self, url: str, file: Path | None = None) -> None:
        self._url = url
        self._file = file
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}
        self._kept: dict[str, dict[str, str | float]] = self._read()

    def client(self, key: str) -> Pretext:
        """A client with a key."""
        return Pretext(self._url, key, timeout=30, retry=_RETRY)

    def begin(self, key: str) -> str:
        """Sign in with a key. Gives the token for the cookie.

        Raises:
            ApiError: the key is not valid.
            ConnectionFailed: the API cannot be reached.
        """
        client = self.client(key)
        rights = rights_of(client)
        token = secrets.token_urlsafe(32)
        digest = _digest(token)
        with self._lock:
            self._open[digest] = Session(client, rights, digest)
            if len(key.encode()) <= _LONGEST_KEY:
                self._kept[digest] = {"key": _padded(key.encode(), token).hex(), "used_at": time.time()}
                self._write()
        return token

    def of(self, connection: HTTPConnection) -> Session | None:
        """The session that a request belongs to; None if it is signed out."""
        token = connection.cookies.get(cookie_name(connection))
        if not token:
            return None
        digest = _digest(token)
        session = self._open.get(digest) or self._woken(digest, token)
        if session is not None and time.time() - session.used_at > IDLE_SECONDS:
            self.end(session)
            return None
        if session is not None:
            session.used_at = time.time()
        return session

    def end(self, session: Session) -> None:
        """Sign out."""
        with self._lock:
            self._open.pop(session.digest, None)
            self._kept.pop(session.digest, None)
            self._write()
        session.ended = True
        session.client.close()

    def _woken(self, digest: str, token: str) -> Session | None:
        """A session from before a restart."""
        kept = self._kept.get(digest)
        if kept is None or time.time() - float(kept["used_at"]) > IDLE_SECONDS:
            return None
        client = self.client(_padded(bytes.fromhex(str(kept["key"])), token).decode())
        try:
            session = Session(client, rights_of(client), digest)
        except ApiError:  # the key was revoked meanwhile
            return None
        return self._open.setdefault(digest, session)

    def _read(self) -> dict[str, dict[str, str | float]]:
        if self._file is None:
            return {}
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return {digest: one for digest, one in found.items() if time.time() - float(one["used_at"]) < IDLE_SECONDS}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _write(self) -> None:
        if self._file is None:
            return
        partial = self._file.with_suffix(".new")
        with suppress(OSError):  # they last until the next restart then
            partial.unlink(missing_ok=True)
            partial.touch(mode=0o600)
            partial.write_text(json.dumps(self._kept), encoding="utf-8")
            partial.replace(self._file)


def cookie_name(connection: HTTPConnection) -> str:
    """Browsers send a host's cookies to all of its ports, so that the name says which server a cookie is of."""
    return f"pretext_{connection.url.port or 443}"


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _padded(text: bytes, token: str) -> bytes:
    """Encrypt or decrypt: a pad as long as the text, from a token that is random and used for nothing else."""
    pad = blake2b(token.encode(), digest_size=_LONGEST_KEY, person=b"pretext-session1"[:16]).digest()
    return bytes(a ^ b for a, b in zip(text, pad, strict=False))
