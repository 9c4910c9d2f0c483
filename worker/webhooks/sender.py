"""The lane of webhooks: takes what is due out of the database, sends it, and notes what came of it."""

import logging
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version

from sqlalchemy.exc import DBAPIError

from records.database import Database
from records.errors import RecordsError
from records.queries import deliveries
from records.queries.deliveries import Outcome, Sending
from records.receivers import Receivers
from records.settings import Settings
from records.signing import NoKeyError, SigningKey, signing_key
from worker.webhooks.post import Poster, PostError, Reply
from worker.webhooks.schedule import pause

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_AWAY_SECONDS = 2.0
_NOTE_SECONDS = 30.0
"""How much longer than the request itself a claim lasts, so that what came of it can be noted."""
_TIDY_SECONDS = 60.0
_CLOSE_SECONDS = 2.0
_GONE = 410


class Sender:
    """Sends to webhooks, each request in a thread of its own.

    Args:
        settings, database: what to work with.
        poster: sends one request; default: by the rules of the settings.
    """

    def __init__(self, settings: Settings, database: Database, poster: Poster | None = None) -> None:
        self._settings = settings
        self._database = database
        self._receivers = Receivers.by(settings)
        self._poster = poster or Poster(self._receivers, settings.webhook_seconds)
        self._most_each = max(1, settings.webhooks_at_once // 4)
        self._lease = settings.webhook_seconds + _NOTE_SECONDS
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._look = threading.Event()
        self._stopping = threading.Event()
        self._tidy_at = 0.0
        self._loop = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        if self._settings.webhooks_at_once:
            self._loop.start()

    def close(self) -> None:
        """Take nothing more, and wait a little for what is under way. What is cut off is sent again by another worker."""
        self._stopping.set()
        self._look.set()
        if self._loop.is_alive():
            self._loop.join()
        until = time.monotonic() + _CLOSE_SECONDS
        while self.under_way and time.monotonic() < until:
            time.sleep(0.02)

    @property
    def under_way(self) -> int:
        """How many requests there are at the moment."""
        with self._lock:
            return self._busy.total()

    def _run(self) -> None:
        pause_ = 0.0
        while True:
            self._look.wait(pause_)
            self._look.clear()
            if self._stopping.is_set():
                return
            try:
                self.send_due()
                self._tidy()
                pause_ = _LOOK_SECONDS
            except DBAPIError as error:
                logger.warning("the database is away, webhooks wait: %s", error)
                pause_ = _AWAY_SECONDS

    def send_due(self) -> None:
        """Begin to send what is due, as far as there is room."""
        free = self._settings.webhooks_at_once - self.under_way
        key = self._key()
        if key is None or free <= 0:
            return
        with self._database.read() as session:
            if not deliveries.is_due(session, key.print):
                return
        with self._lock:
            busy = dict(self._busy)
        with self._database.write() as session:
            taken = deliveries.claim(session, key_print=key.print, busy=busy, free=free, most=self._most_each, seconds=self._lease)
        for sending in taken:
            with self._lock:
                self._busy[sending.webhook_id] += 1
            threading.Thread(target=self._send, args=(sending, key), name=sending.delivery_id, daemon=True).start()

    def _key(self) -> SigningKey | None:
        """The server's key, which the first webhook makes."""
        try:
            return signing_key(self._settings)
        except NoKeyError:
            return None

    def _send(self, sending: Sending, key: SigningKey) -> None:
        try:
            outcome = self._tried(sending, key)
            logger.info("%s to %s: %s", sending.delivery_id, sending.webhook_id, outcome.error or outcome.status)
            self._note(sending, outcome)
        except Exception:
            logger.exception("a defect in the server; %s is sent again", sending.delivery_id)
        finally:
            with self._lock:
                self._busy[sending.webhook_id] -= 1
                self._busy += Counter()  # drops those at nought
            self._look.set()

    def _tried(self, sending: Sending, key: SigningKey) -> Outcome:
        """Send it, and say what came of it."""
        at, began = datetime.now(UTC), time.monotonic()
        reply: Reply | None = None
        try:
            reply = self._post(sending, key, int(at.timestamp()))
            error = _refusal(reply)
        except (PostError, RecordsError) as failure:
            error = str(failure)
        return Outcome(
            at=at,
            seconds=time.monotonic() - began,
            status=reply.status if reply else None,
            error=error[:500] if error else None,
            answer=reply.excerpt if reply else None,
            gone=reply is not None and reply.status == _GONE,
            again=pause(sending.tries, reply.retry_after if reply else None),
        )

    def _post(self, sending: Sending, key: SigningKey, timestamp: int) -> Reply:
        body = sending.payload.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Pretext-Server/{version('pretext-server')}",
            "webhook-id": sending.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": key.signatures(sending.webhook_id, sending.secrets, sending.event_id, timestamp, body),
        }
        return self._poster.post(self._receivers.target(sending.url), headers, body)

    def _note(self, sending: Sending, outcome: Outcome) -> None:
        """Write it down, as long as the claim lasts and the database is away."""
        until = time.monotonic() + _NOTE_SECONDS
        while True:
            try:
                with self._database.write() as session:
                    deliveries.note(session, sending, outcome)
            except DBAPIError as error:
                if time.monotonic() < until and not self._stopping.wait(1.0):
                    continue
                logger.warning("the database is away; %s is sent again: %s", sending.delivery_id, error)
            return

    def _tidy(self) -> None:
        """Forget what is old, and tell of what this worker cannot sign."""
        if time.monotonic() < self._tidy_at:
            return
        key = self._key()
        with self._database.write() as session:
            more = deliveries.prune(session, self._settings.webhook_days)
            self._tidy_at = time.monotonic() + (0 if more else _TIDY_SECONDS)
            unsigned = deliveries.unsigned(session, key.print if key else "")
        if unsigned:
            logger.warning(
                "this worker has another key for webhooks than %s; set PRETEXT_WEBHOOK_KEY to the API's, or rotate the secrets",
                ", ".join(unsigned),
            )


def _refusal(reply: Reply) -> str | None:
    """Why an answer does not count as taken."""
    if 200 <= reply.status < 300:
        return None
    if 300 <= reply.status < 400:
        return f"it answered {reply.status}, and redirects are not followed; set the webhook to the new address"
    return f"it answered {reply.status}"
