"""Lists and what all resources have in common."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field

ItemT = TypeVar("ItemT")

Limit = Annotated[int, Query(ge=1, le=100, description="How many to list at most.")]
After = Annotated[str | None, Query(max_length=100, description="Id of the last one that was seen; the list goes on behind it.")]


class Resource(BaseModel):
    """What the API answers with."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Page(BaseModel, Generic[ItemT]):
    """One page of a list."""

    object: Literal["list"] = Field(default="list", description="Always `list`.")
    data: list[ItemT] = Field(description="The records of this page.")
    has_more: bool = Field(description="Whether there are more behind the last one. Ask for them by `after`.")


def as_they_are(data: list[str], has_more: bool) -> Response:
    """Answer with a page of what is JSON already. Whoever wrote it answers for its being what the document says."""
    page = f'{{"object":"list","data":[{",".join(data)}],"has_more":{"true" if has_more else "false"}}}'
    return Response(page, media_type="application/json")


class Trouble(Resource):
    """Why something failed."""

    code: str
    """For programs."""
    message: str
    """What happened and what to do about it, for people."""


Metadata = Annotated[dict[str, str], Field(description="Your own notes.")]
"""As it is answered. What is taken in is `api.metadata.MetadataIn`, which has bounds."""
Moment = datetime
