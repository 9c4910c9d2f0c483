"""The audit log over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from api.audit.schemas import AuditOut
from api.errors import responses
from api.narrowing import TimeDep
from api.pages import After, Limit, Page
from api.security import require_admin
from api.services import SessionDep
from records.queries import audit

router = APIRouter(prefix="/v1/audit", tags=["administration"], dependencies=[Depends(require_admin)])


@router.get("", summary="Who did what", responses=responses(401, 403))
def list_audit_entries(
    session: SessionDep,
    narrow: TimeDep,
    limit: Limit = 20,
    after: After = None,
    action: Annotated[str | None, Query(max_length=64, description="Only this operation, such as `create_job`.")] = None,
    key_id: Annotated[str | None, Query(max_length=40, description="Only by this key.")] = None,
    outcome: Annotated[Literal["done", "denied"] | None, Query(description="Only what was done, or what was refused.")] = None,
) -> Page[AuditOut]:
    """Everything that was changed by requests, and what was refused for want of rights, the newest first."""
    found, more = audit.page(session, limit=limit, after=after, action=action, key_id=key_id, outcome=outcome, narrow=narrow)
    return Page(data=[AuditOut.of(entry) for entry in found], has_more=more)
