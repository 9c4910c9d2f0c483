"""Secrets and signatures of webhooks, as Standard Webhooks has them (https://www.standardwebhooks.com).

The database has no secret in it. A webhook's secret is HMAC-SHA-256 of its id and a number, under a key that the server keeps
beside the database: whoever reads the database alone can sign nothing.
"""

import base64
import hmac
import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from records.errors import ConflictError
from records.settings import Settings

_FILE = "webhook-key"
PREFIX = "whsec_"


class NoKeyError(ConflictError):
    """The server has no key for webhooks; its administrator sets PRETEXT_WEBHOOK_KEY, for the API and all workers the same."""

    code = "no_webhook_key"


class SigningKey:
    """The server's key, of which the secrets of webhooks are made.

    Args:
        key: its bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @property
    def print(self) -> str:
        """Tells this key from others, and nothing more of it: 16 hexadecimal digits."""
        return sha256(b"pretext webhook key " + self._key).hexdigest()[:16]

    def secret(self, webhook_id: str, number: int) -> bytes:
        """A webhook's secret, 32 bytes."""
        return hmac.digest(self._key, f"{webhook_id}.{number}".encode(), "sha256")

    def shown(self, webhook_id: str, number: int) -> str:
        """A webhook's secret as its receiver takes it: `whsec_…`."""
        return PREFIX + base64.b64encode(self.secret(webhook_id, number)).decode()

    def signatures(self, webhook_id: str, numbers: list[int], event_id: str, timestamp: int, body: bytes) -> str:
        """`webhook-signature`: one signature for each secret that counts, with a space between."""
        signed = f"{event_id}.{timestamp}.".encode() + body
        digests = (hmac.digest(self.secret(webhook_id, number), signed, "sha256") for number in numbers)
        return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def signing_key(settings: Settings, *, make: bool = False) -> SigningKey:
    """The server's key: the setting, or, on one machine, a file in the data folder, which is made when it is first needed.

    Raises:
        NoKeyError: there is none. With a database that several machines may share none is made, because each would make its own.
    """
    if settings.webhook_key is not None:
        return SigningKey(settings.webhook_key.get_secret_value().encode())
    path = settings.data_dir / _FILE
    if make and settings.database.startswith("sqlite"):
        _make(path)
    try:
        return SigningKey(path.read_text(encoding="ascii").strip().encode())
    except FileNotFoundError:
        raise NoKeyError from None


def _make(path: Path) -> None:
    """Write a new key, whole or not at all, unless there is one."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32) + "\n")
    try:
        with suppress(FileExistsError):  # another process was quicker, and its key counts
            path.hardlink_to(partial)
    finally:
        partial.unlink()
