"""What keys look like from outside."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from api.changes import Change
from api.members.schemas import Scope
from api.metadata import MetadataIn
from api.pages import Metadata, Moment, Resource
from records.models import ApiKey


class KeyRequest(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    """What it is for."""
    scope: Scope = "write"
    """`read`: to look and download; `write`: to upload, run jobs and delete, too; `admin`: to make keys and so on, too."""
    member_id: str | None = Field(default=None, max_length=100)
    """Whose it is. Let the member go, and it is revoked."""
    expires_at: AwareDatetime | None = None
    """When it is accepted no longer. None: never."""
    metadata: MetadataIn = Field(default_factory=dict)


class KeyChange(Change):
    """What shall be different of a key. What is left out stays."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = ""
    """What it is for."""


class KeyOut(Resource):
    """A key, without what it is."""

    object: Literal["key"] = "key"
    """Always `key`."""
    id: str
    """Begins with `key_`."""
    name: str
    """What it is for."""
    prefix: str
    """Its first characters, to tell keys apart by."""
    scope: Scope
    """What it is for: `read`, `write` or `admin`, each with what those before it may do."""
    member_id: str | None
    """Whose it is, if it is a member's."""
    created_at: Moment
    """When it was made."""
    expires_at: Moment | None
    """When it is accepted no longer."""
    last_used_at: Moment | None
    """When it was last used, within a minute or so."""
    revoked_at: Moment | None
    """When it was revoked."""
    metadata: Metadata

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Show a record."""
        shown = {name: getattr(key, name) for name in cls.model_fields if name not in {"object", "key", "metadata"}}
        return cls.model_validate({**shown, "metadata": key.meta})


class NewKeyOut(KeyOut):
    """A key that was just made."""

    key: str = ""
    """The key itself. It is shown this once and is not kept."""
