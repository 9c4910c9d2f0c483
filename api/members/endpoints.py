"""Members over HTTP."""

from fastapi import APIRouter, Depends

from api.errors import responses
from api.etags import ReadingDep, WritingDep
from api.members.schemas import MemberChange, MemberOut, MemberRequest, Scope
from api.narrowing import METADATA, Name, NarrowDep
from api.pages import After, Limit, Page
from api.security import require_admin
from api.services import SessionDep
from records.errors import ConflictError
from records.queries import keys, members

router = APIRouter(prefix="/v1/members", tags=["administration"], dependencies=[Depends(require_admin)])


@router.post("", status_code=201, summary="Take in a member", responses=responses(401, 403, 422))
def create_member(request: MemberRequest, session: SessionDep) -> MemberOut:
    """Somebody whom keys of this project can be given to."""
    return MemberOut.of(members.create(session, request.name, request.role, request.email, request.metadata))


@router.get("", summary="List members", openapi_extra=METADATA, responses=responses(401, 403))
def list_members(
    session: SessionDep, narrow: NarrowDep, limit: Limit = 20, after: After = None, name: Name = None, role: Scope | None = None
) -> Page[MemberOut]:
    """The newest first."""
    found, more = members.page(session, limit=limit, after=after, name=name, role=role, narrow=narrow)
    return Page(data=[MemberOut.of(member) for member in found], has_more=more)


@router.get("/{member_id}", summary="Read a member", responses=responses(401, 403, 404))
def read_member(member_id: str, session: SessionDep, answer: ReadingDep) -> MemberOut:
    """Their name and role."""
    return answer(MemberOut.of(members.get(session, member_id)))


@router.patch("/{member_id}", summary="Change a member", responses=responses(401, 403, 404, 409, 412, 422))
def update_member(member_id: str, request: MemberChange, session: SessionDep, writing: WritingDep) -> MemberOut:
    """Their name, email, role and metadata. A role below what their valid keys are for is refused: revoke those first."""
    member = members.locked(session, member_id)
    writing.check(lambda: MemberOut.of(member))
    beyond = keys.beyond(session, member_id, request.role) if "role" in request.model_fields_set else []
    if beyond:
        raise ConflictError(f"keys of theirs are for more ({', '.join(beyond[:3])}); revoke them first", param="role")
    request.apply(member)
    session.flush()
    return writing.done(MemberOut.of(member))


@router.delete("/{member_id}", status_code=204, summary="Let a member go", responses=responses(401, 403, 404, 412))
def delete_member(member_id: str, session: SessionDep, writing: WritingDep) -> None:
    """Let a member go and revoke their keys. What they made stays the project's."""
    writing.check(lambda: MemberOut.of(members.locked(session, member_id)))
    members.remove(session, member_id)
