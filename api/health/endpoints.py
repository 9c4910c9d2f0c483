"""Health checks, for supervisors and load balancers. They need no key and tell nothing but whether."""

from typing import Literal

import redis
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from api.errors import problem, responses
from api.pages import Resource
from api.services import Services, ServicesDep
from records.queue import redis_url

router = APIRouter(tags=["health"])


class Health(Resource):
    """The service is well."""

    status: Literal["ok"] = "ok"
    """Always `ok`; anything else comes with status 503."""


@router.get("/healthz", summary="Is the process alive?")
def healthz() -> Health:
    """Answers as long as the process can answer at all."""
    return Health()


@router.get("/readyz", summary="Can it work?", responses=responses(503), response_model=Health)
def readyz(request: Request, services: ServicesDep) -> Response:
    """Answers 200 if the database and the blob store can be used. A missing broker is no reason to turn requests away."""
    missing = _missing(services)
    if missing:
        return problem(request, 503, "unavailable", f"not ready: {missing}")
    return JSONResponse({"status": "ok"}, headers={"X-Pretext-Broker": "up" if _broker_answers(services) else "down"})


def _missing(services: Services) -> str | None:
    try:
        services.database.ping()
    except SQLAlchemyError:
        return "the database does not answer"
    try:
        services.blobs.free_bytes()
    except OSError:
        return "the blob store cannot be reached"
    return None


def _broker_answers(services: Services) -> bool:
    url = redis_url(services.settings.broker)
    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False
