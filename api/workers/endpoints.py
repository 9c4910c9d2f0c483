"""Workers over HTTP."""

from fastapi import APIRouter

from api.errors import responses
from api.pages import After, Limit, Page
from api.security import OperatorDep
from api.services import ServicesDep
from api.workers.schemas import WorkerOut
from records.queries import workers

router = APIRouter(prefix="/v1/workers", tags=["administration"])


@router.get("", summary="List workers", responses=responses(401, 403))
def list_workers(
    actor: OperatorDep,  # noqa: ARG001  to be let in
    services: ServicesDep,
    limit: Limit = 20,
    after: After = None,
) -> Page[WorkerOut]:
    """The newest first, for the server's administrators; those that were not heard of for a week are forgotten."""
    with services.database.whole.read() as session:
        found, more = workers.page(session, limit=limit, after=after)
        alive = workers.alive(session)
        running = workers.running(session)
        data = [WorkerOut.of(one, alive=one.id in alive, running=running.get(one.id, [])) for one in found]
        return Page(data=data, has_more=more)
