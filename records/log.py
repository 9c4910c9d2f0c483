"""One way of logging for all processes of the service."""

import logging
import sys


def set_up_logging(level: str) -> None:
    """Log to standard error, a line a record."""
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, force=True, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    for chatty in ("httpx", "alembic", "kombu", "celery.redirected", "amqp"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
