"""What a job's process writes to its standard output and error, on its way into the database: whole lines, without secrets."""

import logging
import os
import re
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import DataError, DBAPIError

from records.database import Database
from records.queries import leases, logs
from records.queries.leases import Lease
from records.settings import Settings

logger = logging.getLogger(__name__)

_LONGEST_PIECE = 64 << 10
_MOST_BEHIND = logs.MOST_BYTES
"""Of a process that writes faster than that, between two looks, the middle is left out."""
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 6
_SECRETS = (
    (re.compile(r"pretext_[A-Za-z0-9_-]{12,}"), "pretext_[hidden]"),
    (re.compile(r"(://[^\s:/@]{0,100}:)[^\s@/]{1,300}@"), r"\1[hidden]@"),
    (re.compile(r"(?i)(authorization:?\s*bearer\s+)\S+"), r"\1[hidden]"),
)


class Log:
    """The log of one attempt.

    Args:
        database: where to.
        lease: the attempt.
        path: file that the process writes to.
        settings: whose secrets must not be told.
    """

    def __init__(self, database: Database, lease: Lease, path: Path, settings: Settings) -> None:
        self._database = database
        self._lease = lease
        self._path = path
        self._place = 0
        self._said: list[str] = []
        self._known = _secrets(settings)

    def say(self, line: str) -> None:
        """Add a line of the worker's own."""
        self._said.append(line.replace("\n", " ") + "\n")

    def flush(self, *, ended: bool = False) -> bool:
        """Store what is new. False if the database is away; it is tried again the next time.

        Args:
            ended: whether the process writes no more: then the last line counts even without its end.

        Raises:
            LeaseLostError: the job is no longer this attempt's.
        """
        said = len(self._said)
        written, place = self._new(ended=ended)
        text = self.harmless("".join(self._said[:said]) + written)
        if not text:
            self._place = place
            return True
        try:
            with self._database.write() as session:
                job = leases.hold(session, self._lease)
                for start in range(0, len(text), _LONGEST_PIECE):
                    logs.append(session, job.id, text[start : start + _LONGEST_PIECE])
        except DataError:
            logger.exception("a part of the log of %s is lost", self._lease.job_id)
        except DBAPIError as error:
            logger.warning("the database is away, a part of the log of %s waits: %s", self._lease.job_id, error)
            return False
        del self._said[:said]
        self._place = place
        return True

    def harmless(self, text: str) -> str:
        """A text without secrets, and without what a database or a terminal does not take."""
        for secret in self._known:
            text = text.replace(secret, "[hidden]")
        for pattern, instead in _SECRETS:
            text = pattern.sub(instead, text)
        return text.replace("\0", "")

    def _new(self, *, ended: bool) -> tuple[str, int]:
        """The whole lines that were written since, and the place behind them."""
        try:
            size = self._path.stat().st_size
            skipped = max(0, size - self._place - _MOST_BEHIND)
            with self._path.open("rb") as file:
                file.seek(self._place + skipped)
                content = file.read(_MOST_BEHIND)
        except OSError:
            return "", self._place
        if not ended and len(content) < _MOST_BEHIND:
            content = content[: content.rfind(b"\n") + 1]
        text = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
        if text and not text.endswith("\n"):
            text += "\n"
        left_out = f"[… {skipped:,} bytes are left out here …]\n" if skipped else ""
        return left_out + text, self._place + skipped + len(content)


def _secrets(settings: Settings) -> list[str]:
    """What must not be told: keys and passwords among the settings and in the environment, the longest first."""
    found = [value for name, value in os.environ.items() if _SECRET_NAME.search(name)]
    if settings.api_key is not None:
        found.append(settings.api_key.get_secret_value())
    for url in filter(None, (settings.database_url, settings.broker_url)):
        try:
            found.append(str(make_url(url).password or ""))
        except ValueError:
            continue
    return sorted({one for one in found if len(one) >= _SHORTEST_SECRET}, key=len, reverse=True)
