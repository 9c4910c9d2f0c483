"""Changes of resources by PATCH: what is given is changed, what is left out stays (RFC 7396)."""

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from api.metadata import MetadataChange, changed
from records.notes import notes_of

NewName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Change(BaseModel):
    """What shall be different. What is left out stays."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    metadata: MetadataChange = None

    def apply(self, record: Any, *, leave: Collection[str] = ()) -> None:
        """Change a record, which nobody else changes before the transaction ends.

        Args:
            record: what is changed.
            leave: what is changed by other means.

        Raises:
            InvalidError: there would be too many metadata.
        """
        for name, value in self.model_dump(exclude_unset=True, exclude={*leave}).items():
            if name == "metadata":
                notes = notes_of(type(record)).key
                setattr(record, notes, changed(getattr(record, notes), value))
            else:
                setattr(record, name, value)


class NamedChange(Change):
    """What shall be different. What is left out stays."""

    name: NewName = ""
    """What it is called."""
