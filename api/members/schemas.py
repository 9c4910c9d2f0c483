"""What members look like from outside."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from api.changes import NamedChange
from api.metadata import MetadataIn
from api.pages import Metadata, Moment, Resource
from records.models import Member

Scope = Literal["read", "write", "admin"]
_EMAIL = r"^[^@\s]+@[^@\s]+$"


def _address(text: str) -> str:
    if re.match(_EMAIL, text) is None:
        raise ValueError("write it as in ada@example.org")
    return text


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=320),
    AfterValidator(_address),
    WithJsonSchema({"type": "string", "maxLength": 320, "pattern": _EMAIL}),
]


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
