"""What members look like from outside."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints

from api.pages import Moment, Resource
from records.models import Member

Scope = Literal["read", "write", "admin"]


class MemberRequest(BaseModel):
    """A member to take in."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    """Of a person, or of a program."""
    email: Annotated[str, StringConstraints(strip_whitespace=True, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    """Where they can be reached; the server sends no mail."""
    role: Scope = "write"
    """The most that their keys can be for."""


class MemberOut(Resource):
    """A person, or a program, that keys are given to."""

    object: Literal["member"] = "member"
    """Always `member`."""
    id: str
    """Begins with `member_`."""
    name: str
    """Who it is."""
    email: str | None
    """Where they can be reached."""
    role: Scope
    """The most that their keys can be for."""
    created_at: Moment
    """When they were taken in."""

    @classmethod
    def of(cls, member: Member) -> Self:
        """Show a record."""
        return cls.model_validate({name: getattr(member, name) for name in cls.model_fields if name != "object"})
