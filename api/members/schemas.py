"""What members look like from outside."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.changes import NamedChange
from api.metadata import MetadataIn
from api.pages import Metadata, Moment, Resource
from records.models import Member

Scope = Literal["read", "write", "admin"]
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]


class MemberRequest(BaseModel):
    """A member to take in."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    """Of a person, or of a program."""
    email: Email | None = None
    """Where they can be reached; the server sends no mail."""
    role: Scope = "write"
    """The most that their keys can be for."""
    metadata: MetadataIn = Field(default_factory=dict)


class MemberChange(NamedChange):
    """What shall be different of a member. What is left out stays."""

    email: Email | None = None
    """Where they can be reached; null: nowhere."""
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
    metadata: Metadata

    @classmethod
    def of(cls, member: Member) -> Self:
        """Show a record."""
        return cls.model_validate(
            {name: getattr(member, name) for name in cls.model_fields if name not in {"object", "metadata"}}
            | {"metadata": member.meta}
        )
