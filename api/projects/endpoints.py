"""Projects over HTTP."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from api.errors import responses
from api.etags import ReadingDep, WritingDep
from api.narrowing import METADATA, Name, NarrowDep
from api.pages import After, Limit, Page
from api.projects.schemas import ProjectOut, ProjectRequest, ProjectUpdate, Quotas, StoredOut, UsageDay, UsageOut
from api.security import ActorDep, AdminDep, OperatorDep
from api.services import ServicesDep, SessionDep
from records import audit
from records.database import after_commit
from records.errors import ForbiddenError, NotFoundError
from records.queries import projects
from records.tenancy import Actor

router = APIRouter(prefix="/v1/projects", tags=["administration"])


def _within_reach(actor: Actor, project_id: str) -> str:
    """Another's project is, to all but the server's administrators, not there."""
    if actor.project_id != project_id and not (actor.operator and actor.scope == "admin"):
        raise NotFoundError.of("project", project_id)
    return project_id


@router.post("", status_code=201, summary="Make a project", responses=responses(401, 403, 422))
def create_project(request: ProjectRequest, actor: OperatorDep, session: SessionDep) -> ProjectOut:  # noqa: ARG001  to be let in
    """For the server's administrators. Its first key is then made by `POST /v1/keys?project_id=proj_…`."""
    return ProjectOut.of(projects.create(session, **request.model_dump()))


@router.get("", summary="List projects", openapi_extra=METADATA, responses=responses(401))
def list_projects(
    actor: ActorDep, session: SessionDep, narrow: NarrowDep, limit: Limit = 20, after: After = None, name: Name = None
) -> Page[ProjectOut]:
    """The newest first: all, for the server's administrators; for others their own."""
    only = None if actor.operator and actor.scope == "admin" else actor.project_id
    found, more = projects.page(session, limit=limit, after=after, only=only, name=name, narrow=narrow)
    return Page(data=[ProjectOut.of(project) for project in found], has_more=more)


@router.get("/current", summary="Read your own project", responses=responses(401))
def read_current_project(actor: ActorDep, session: SessionDep, answer: ReadingDep) -> ProjectOut:
    """The project that this key is of."""
    return answer(ProjectOut.of(projects.get(session, actor.project_id)))


@router.get("/{project_id}", summary="Read a project", responses=responses(401, 404))
def read_project(project_id: str, actor: ActorDep, session: SessionDep, answer: ReadingDep) -> ProjectOut:
    """Its name and quotas."""
    return answer(ProjectOut.of(projects.get(session, _within_reach(actor, project_id))))


@router.patch("/{project_id}", summary="Change a project", responses=responses(401, 403, 404, 412, 422))
def update_project(
    project_id: str, request: ProjectUpdate, actor: AdminDep, session: SessionDep, writing: WritingDep
) -> ProjectOut:
    """Its name and metadata are its administrators' to change, its quotas are the server's administrators'."""
    project = projects.locked(session, _within_reach(actor, project_id))
    quotas = request.model_fields_set & Quotas.model_fields.keys()
    if not actor.operator and quotas:
        raise ForbiddenError("quotas are changed by the server's administrators", param=min(quotas))
    writing.check(lambda: ProjectOut.of(project))
    request.apply(project)
    session.flush()
    return writing.done(ProjectOut.of(project))


@router.delete("/{project_id}", status_code=204, summary="Delete a project", responses=responses(401, 403, 404, 409, 412))
def delete_project(project_id: str, actor: OperatorDep, services: ServicesDep, writing: WritingDep) -> None:
    """Delete a project and everything in it, and free its bytes. Refused while a job of it has not ended. It cannot be undone."""
    with services.database.whole.write() as everything:
        writing.check(lambda: ProjectOut.of(projects.locked(everything, project_id)))
        prefixes = projects.delete(everything, project_id)
        audit.add(everything, actor, "done")

        def free() -> None:
            for prefix in prefixes:
                services.blobs.delete(prefix)

        after_commit(everything, free)


@router.get("/{project_id}/usage", summary="What a project uses", responses=responses(401, 404))
def read_usage(
    project_id: str,
    actor: ActorDep,
    services: ServicesDep,
    days: Annotated[int, Query(ge=1, le=366, description="How many days back.")] = 30,
) -> UsageOut:
    """Bytes and running jobs now, and the time of its jobs by day."""
    _within_reach(actor, project_id)
    with services.database.whole.read() as session:
        projects.get(session, project_id)
        stored = projects.stored(session, project_id)
        return UsageOut(
            project_id=project_id,
            stored=StoredOut(**asdict(stored), total=stored.total),
            running=projects.running(session, project_id),
            gpu_seconds=projects.gpu_seconds(session, project_id),
            days=[
                UsageDay.model_validate({name: getattr(day, name) for name in UsageDay.model_fields})
                for day in projects.usage(session, project_id, days=days)
            ],
        )
