"""Keys over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.errors import responses
from api.etags import ReadingDep, WritingDep
from api.keys.schemas import KeyChange, KeyOut, KeyRequest, NewKeyOut
from api.members.schemas import Scope
from api.narrowing import METADATA, Id, Name, NarrowDep
from api.pages import After, Limit, Page
from api.security import ActorDep, AdminDep, require_admin
from api.services import SessionDep
from records.errors import NotFoundError
from records.queries import keys, projects
from records.tenancy import act_for

router = APIRouter(prefix="/v1/keys", tags=["administration"], dependencies=[Depends(require_admin)])
own = APIRouter(prefix="/v1/keys", tags=["administration"])
"""What any key may ask. It has to be installed before `router`, for which `current` would be an id."""


@router.post("", status_code=201, summary="Make a key", responses=responses(401, 403, 404, 422))
def create_key(
    request: KeyRequest,
    actor: AdminDep,
    session: SessionDep,
    project_id: Annotated[
        str | None, Query(max_length=100, description="The project, for the server's administrators. Default: your own.")
    ] = None,
) -> NewKeyOut:
    """The key itself is in the answer this once, and is not kept: store it now."""
    if project_id is not None and project_id != actor.project_id:
        if not actor.operator:
            raise NotFoundError.of("project", project_id, "project_id")
        act_for(session, projects.get(session, project_id).id)
    record, key = keys.create(session, **request.model_dump())
    return NewKeyOut.of(record).model_copy(update={"key": key})


@router.get("", summary="List keys", openapi_extra=METADATA, responses=responses(401, 403))
def list_keys(
    session: SessionDep,
    narrow: NarrowDep,
    limit: Limit = 20,
    after: After = None,
    name: Name = None,
    scope: Scope | None = None,
    member_id: Id = None,
) -> Page[KeyOut]:
    """The newest first, with those that are accepted no longer."""
    found, more = keys.page(session, limit=limit, after=after, name=name, scope=scope, member_id=member_id, narrow=narrow)
    return Page(data=[KeyOut.of(key) for key in found], has_more=more)


@own.get("/current", summary="Read the key that asks", responses=responses(401))
def read_current_key(actor: ActorDep, session: SessionDep) -> KeyOut:
    """What the key of this request is for. Any key may ask, so that programs can tell what they may do before they try."""
    return KeyOut.of(keys.get(session, actor.key_id))


@router.get("/{key_id}", summary="Read a key", responses=responses(401, 403, 404))
def read_key(key_id: str, session: SessionDep, answer: ReadingDep) -> KeyOut:
    """What it is for, and when it was last used."""
    return answer(KeyOut.of(keys.get(session, key_id)))


@router.patch("/{key_id}", summary="Change a key", responses=responses(401, 403, 404, 412, 422))
def update_key(key_id: str, request: KeyChange, session: SessionDep, writing: WritingDep) -> KeyOut:
    """Its name and metadata. What it is for does not change: make another key, and revoke this one."""
    key = keys.locked(session, key_id)
    writing.check(lambda: KeyOut.of(key))
    request.apply(key)
    session.flush()
    return writing.done(KeyOut.of(key))


@router.delete("/{key_id}", summary="Revoke a key", responses=responses(401, 403, 404, 409, 412))
def revoke_key(key_id: str, session: SessionDep, writing: WritingDep) -> KeyOut:
    """Accept it no longer, from the next request on. It stays in the list. Refused for the last key for administration."""
    writing.check(lambda: KeyOut.of(keys.locked(session, key_id)))
    return KeyOut.of(keys.revoke(session, key_id))
