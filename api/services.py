"""What endpoints work with, made once a process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

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


def get_services(request: Request) -> Services:
    """The services of the application."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


def get_session(request: Request, services: ServicesDep) -> Iterator[Session]:
    """One transaction a request, committed before the answer is sent, on the records of the project that the request is from."""
    reads = request.method in {"GET", "HEAD"}
    with services.database.read() if reads else services.database.write() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session, scope="function")]
