"""Members over HTTP."""

from fastapi import APIRouter, Depends

from api.errors import responses
from api.members.schemas import MemberOut, MemberRequest
from api.pages import After, Limit, Page
from api.security import require_admin
from api.services import SessionDep
from records.queries import members

router = APIRouter(prefix="/v1/members", tags=["administration"], dependencies=[Depends(require_admin)])


@router.post("", status_code=201, summary="Take in a member", responses=responses(401, 403, 422))
def create_member(request: MemberRequest, session: SessionDep) -> MemberOut:
    """Somebody whom keys of this project can be given to."""
    return MemberOut.of(members.create(session, request.name, request.role, request.email))


@router.get("", summary="List members", responses=responses(401, 403))
def list_members(session: SessionDep, limit: Limit = 20, after: After = None) -> Page[MemberOut]:
    """The newest first."""
    found, more = members.page(session, limit=limit, after=after)
    return Page(data=[MemberOut.of(member) for member in found], has_more=more)


@router.get("/{member_id}", summary="Read a member", responses=responses(401, 403, 404))
def read_member(member_id: str, session: SessionDep) -> MemberOut:
    """Their name and role."""
    return MemberOut.of(members.get(session, member_id))


@router.delete("/{member_id}", status_code=204, summary="Let a member go", responses=responses(401, 403, 404))
def delete_member(member_id: str, session: SessionDep) -> None:
    """Let a member go and revoke their keys. What they made stays the project's."""
    members.remove(session, member_id)
