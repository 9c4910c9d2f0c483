"""Answers that the asker may have already."""

from typing import Annotated

from fastapi import Header

IfNoneMatch = Annotated[str | None, Header(description="ETag of what is already there; the answer is 304 if it still is that.")]


def is_there(etag: str, if_none_match: str | None) -> bool:
    """Whether an `If-None-Match` names what would be sent."""
    return if_none_match is not None and (if_none_match.strip() == "*" or etag in if_none_match)
