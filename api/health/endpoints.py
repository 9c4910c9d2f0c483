"""Health checks, for supervisors and load balancers. They need no key and tell nothing but whether."""

import logging
import time
from typing import Literal

import anyio
import anyio.to_thread
import redis
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from api.errors import problem, responses
from api.pages import Resource
from api.services import Services
from records.migrate import is_migrated
from records.queue import redis_url

logger = logging.getLogger(__name__)
router = APIRouter(tags=["health"])

_PATIENCE_SECONDS = 3.0
"""Supervisors wait for some seconds, and a database that is away may take longer to say so."""
_KEPT_SECONDS = 0.5
"""Anybody may ask, and however many do: this is how often the database is asked."""


class Health(Resource):
    """The service is well."""

    status: Literal["ok"] = "ok"
    """Always `ok`; anything else comes with status 503."""


class Readiness:
    """What was last found out. One request at a time looks again, and those that come meanwhile get what it finds."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = anyio.Lock()
        self._limiter = anyio.CapacityLimiter(2)
        self._until = 0.0
        self._missing: str | None = None
        self._broker = False

    async def look(self) -> tuple[str | None, bool]:
        """What is missing, if anything is, and whether the broker answers."""
        async with self._lock:
            if time.monotonic() >= self._until:
                await self._look()
                self._until = time.monotonic() + _KEPT_SECONDS
            return self._missing, self._broker

    async def _look(self) -> None:
        self._missing, self._broker = "the database does not answer in time", False
        with anyio.move_on_after(_PATIENCE_SECONDS):
            self._missing = await anyio.to_thread.run_sync(_missing, self._services, limiter=self._limiter, abandon_on_cancel=True)
            self._broker = await anyio.to_thread.run_sync(
                _broker_answers, self._services, limiter=self._limiter, abandon_on_cancel=True
            )


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """Answers as long as the process can answer at all, however busy it is: it asks nobody and needs no thread."""
    return Health()


@router.get("/readyz", summary="Can it work?", responses=responses(503), response_model=Health)
async def readyz(request: Request) -> Response:
    """Answers 200 if the database has the tables of this version and the blob store takes files, within three seconds.

    A missing broker is no reason to turn requests away: jobs are safe in the database, and found there. `X-Pretext-Broker` tells.
    """
    readiness: Readiness = request.app.state.readiness
    missing, broker = await readiness.look()
    if missing:
        return problem(request, 503, "unavailable", f"not ready: {missing}")
    return JSONResponse({"status": "ok"}, headers={"X-Pretext-Broker": "up" if broker else "down"})


def _missing(services: Services) -> str | None:
    try:
        with services.database.read() as session:
            if not is_migrated(session):
                return "the database lacks tables of this version: run `pretext-server migrate`"
    except SQLAlchemyError as error:
        logger.warning("not ready, the database does not answer: %s", error)
        return "the database does not answer, or has no tables yet"
    try:
        services.blobs.check()
    except OSError as error:
        logger.warning("not ready, the blob store cannot be written to: %s", error)
        return "the blob store cannot be written to"
    return None


def _broker_answers(services: Services) -> bool:
    url = redis_url(services.settings.broker)
    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False
