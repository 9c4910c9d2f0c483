"""Lists and what all resources have in common."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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


def _small(metadata: dict[str, str]) -> dict[str, str]:
    if len(metadata) > 50:
        raise ValueError("metadata takes at most 50 entries")
    for key, value in metadata.items():
        if len(key) > 64 or len(value) > 1000:
            raise ValueError("metadata takes keys of up to 64 and values of up to 1000 characters")
    return metadata


Metadata = Annotated[dict[str, str], AfterValidator(_small), Field(description="Your own notes, up to 50 keys with a text each.")]
Moment = datetime
