"""`/metrics`: for Prometheus, by its own token, or for the server's administrators. It is about all projects, and names none."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import generate_latest

from api.errors import responses
from api.metrics.figures import Figures
from api.security import bearer, require_admin, require_key, require_operator
from api.services import Services, ServicesDep
from records.metrics import CONTENT_TYPE

router = APIRouter(tags=["administration"])


async def require_scraper(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)], services: ServicesDep
) -> None:
    """Let only Prometheus in, and the server's administrators."""
    if credentials is not None and is_token(services, credentials.credentials):
        return
    actor = await require_key(request, credentials, services)
    await require_admin(request, actor, services)
    await require_operator(actor, services)


def is_token(services: Services, text: str) -> bool:
    """Whether a text is the token for Prometheus."""
    token = services.settings.metrics_token
    return token is not None and secrets.compare_digest(text.encode(), token.get_secret_value().encode())


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    dependencies=[Depends(require_scraper)],
    responses={200: {"content": {"text/plain": {}}}, **responses(401, 403)},
    response_class=Response,
)
def read_metrics(request: Request) -> Response:
    """Requests, streams, uploads, the queue, the workers and how jobs end, in Prometheus' text format.

    Wants `PRETEXT_METRICS_TOKEN` as the key, or the key of an administrator of the server.
    """
    figures: Figures = request.app.state.figures
    return Response(generate_latest(figures.of_all_processes()), media_type=CONTENT_TYPE)
