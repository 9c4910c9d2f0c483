"""What endpoints work with, made once a process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy.orm import Session

from api.jobs.stream import Feeds
from api.limits import Limiter
from records.blobs import Blobs
from records.database import Database, after_commit
from records.models import Job
from records.questions import Questions
from records.queue import Wake
from records.settings import Settings


@dataclass(frozen=True)
class Services:
    """The settings, and the things that they open."""

    settings: Settings
    database: Database
    blobs: Blobs
    wake: Wake
    limiter: Limiter
    questions: Questions
    feeds: Feeds

    def wake_for(self, session: Session, job: Job) -> None:
        """Wake a worker for a job as soon as the job is committed."""
        job_id, device = job.id, job.device
        after_commit(session, lambda: self.wake(job_id, device))


async def get_services(request: Request) -> Services:
    """The services of the application. Async, as all that waits for nothing: a thread for it would take longer than it does."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


async def get_session(request: Request, services: ServicesDep) -> AsyncIterator[Session]:
    """One transaction a request, committed before the answer is sent, on the records of the project that the request is from.

    It begins with the first query, so that only its end can take time. The end never waits for one of the threads that requests
    run in: all of them may be waiting for the connection that it gives back.
    """
    reads = request.method in {"GET", "HEAD"}
    transaction = services.database.read() if reads else services.database.write()
    session = transaction.__enter__()

    async def end(error: BaseException | None = None) -> bool | None:
        how = (None, None, None) if error is None else (type(error), error, error.__traceback__)
        with CancelScope(shield=True):
            return await to_thread.run_sync(transaction.__exit__, *how, limiter=CapacityLimiter(1))
        raise AssertionError  # nothing is cancelled in there

    try:
        yield session
    except BaseException as error:
        if not await end(error):
            raise
    else:
        await end()


SessionDep = Annotated[Session, Depends(get_session, scope="function")]
