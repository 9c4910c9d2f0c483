"""What the audit log looks like from outside."""

from typing import Literal, Self

from api.pages import Moment, Resource
from records.models import AuditEntry


class AuditOut(Resource):
    """Something that was done, or refused for want of rights."""

    object: Literal["audit_entry"] = "audit_entry"
    """Always `audit_entry`."""
    id: str
    """Begins with `audit_`."""
    at: Moment
    """When."""
    key_id: str | None
    """By whose key."""
    action: str
    """The operation, by its `operationId` in the OpenAPI document."""
    outcome: Literal["done", "denied"]
    """`denied`: the key was not for this."""
    subjects: list[str]
    """Ids of what it was done to, and of what it made."""
    request_id: str | None
    """The `X-Request-Id` of the answer."""
    address: str | None
    """Where the request came from."""

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Show a record."""
        return cls.model_validate({name: getattr(entry, name) for name in cls.model_fields if name != "object"})
