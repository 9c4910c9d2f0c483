"""One way of logging for all processes of the service: a line a record, as text for people or as JSON for programs.

No key, token, password or signature gets out: what looks like one, or is one of the settings', is blotted out of every line.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import make_url

from records import context
from records.settings import Settings

_HIDDEN = "[hidden]"
_SHORTEST_SECRET = 6
_SECRETS = re.compile(
    r"(?P<before>\bpretext_|\bBearer\s+|\bBasic\s+|://[^\s/:@]*:(?=[^\s/@]+@)|\bwhsec_"
    r"|\b(?:\w*token|\w*secret|\w*password|api[_-]?key|\w*signature|sig|X-Amz-Credential)=)"
    r"(?P<secret>[^\s'\"&,;)\]}<>@]+)",
    re.IGNORECASE,
)
_OUR_WORDS = re.compile(r"(?:client|server|core)\b")
"""What follows `pretext_` in names of packages, and is no key."""
_CHATTY = ("httpx", "httpcore", "alembic", "kombu", "celery.redirected", "amqp", "urllib3", "opentelemetry")


def set_up_logging(settings: Settings) -> None:
    """Log to standard error, as the settings want it."""
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((TextFormatter if as_text else JsonFormatter)(_own_secrets(settings)))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level.upper())))


class _Formatter(logging.Formatter):
    """What both formats share.

    Args:
        secrets: texts that must not get out.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True)

    def _blotted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _SECRETS.sub(_hidden, text)

    def _trace(self, record: logging.LogRecord) -> str:
        told = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] is not None else ""
        stack = self.formatStack(record.stack_info) if record.stack_info else ""
        return self._blotted("\n".join(part for part in (told, stack) if part))


class JsonFormatter(_Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, what it is about, and `exception` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._blotted(record.getMessage()),
            **_ids(),
        }
        if trace := self._trace(record):
            line["exception"] = trace
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(_Formatter):
    """A line for people; what it is about comes at its end."""

    def format(self, record: logging.LogRecord) -> str:
        ids = "".join(f" {name}={value}" for name, value in _ids().items())
        head = f"{self.formatTime(record)} {record.levelname:<7} {record.name}: {self._blotted(record.getMessage())}"
        trace = self._trace(record)
        return head + (f"  [{ids[1:]}]" if ids else "") + (f"\n{trace}" if trace else "")


def _ids() -> dict[str, object]:
    known = context.about()
    return {name: known[name] for name in context.NAMES if name in known}


def _hidden(found: re.Match[str]) -> str:
    if found["before"].lower() == "pretext_" and _OUR_WORDS.match(found["secret"]):
        return found[0]
    return found["before"] + _HIDDEN


def _own_secrets(settings: Settings) -> list[str]:
    """Keys, tokens and passwords among the settings."""
    given = [secret.get_secret_value() for secret in (settings.api_key, settings.metrics_token) if secret is not None]
    passwords = [make_url(url).password for url in (settings.database_url, settings.broker_url) if url]
    return given + [str(password) for password in passwords if password]
