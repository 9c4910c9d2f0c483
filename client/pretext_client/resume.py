"""What is remembered of unfinished uploads, so that a later run of the same command goes on with them."""

import json
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

_OLD_SECONDS = 30 * 24 * 3600
"""By then a server has thrown an unfinished upload away."""


@dataclass(frozen=True)
class Unfinished:
    """An upload that a server has begun to take."""

    upload_id: str
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Idempotency-Key of the dataset that is made of it: a run that is cut off there makes no second one later."""


def state_dir(environment: Mapping[str, str] | None = None) -> Path:
    """The folder of the user for what programs remember."""
    base = (os.environ if environment is None else environment).get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "pretext" / "uploads"


class Memory:
    """The file about one upload. Without a place to write it, nothing is remembered, and nothing fails.

    Args:
        url: the server's address.
        fingerprint: tells what is uploaded from everything else, and from itself when it has changed.
        folder: where the files lie; by default the user's.
    """

    def __init__(self, url: str, fingerprint: str, folder: Path | None = None) -> None:
        self._folder = folder or state_dir()
        self._path = self._folder / f"{sha256(f'{url} {fingerprint}'.encode()).hexdigest()[:40]}.json"

    def recall(self) -> Unfinished | None:
        """What was begun and not finished."""
        try:
            return Unfinished(**json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def remember(self, unfinished: Unfinished) -> None:
        """Write down what was begun; drop what is too old to be of use."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for other in self._folder.glob("*.json"):
                if time.time() - other.stat().st_mtime > _OLD_SECONDS:
                    other.unlink(missing_ok=True)
            partial = self._path.with_suffix(f".{os.getpid()}.new")
            partial.write_text(json.dumps(asdict(unfinished)), encoding="utf-8")
            partial.replace(self._path)

    def forget(self) -> None:
        """It is finished, or gone."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
