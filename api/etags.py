"""Versions of what is answered: answers that the asker may have already, and changes of what nobody else has changed meanwhile."""

import json
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Response
from pydantic import BaseModel

from records.errors import RecordsError

IfNoneMatch = Annotated[str | None, Header(description="ETag of what is already there; the answer is 304 if it still is that.")]
IfMatch = Annotated[
    str | None,
    Header(
        description="ETag of what was read; the answer is 412, and nothing happens, if it was changed since. Without: no check."
    ),
]
_TAG = re.compile(r'(?:W/)?"[^"]*"')
ResourceT = TypeVar("ResourceT", bound=BaseModel)


class NotModifiedError(Exception):
    """What would be answered is what the asker has."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


class ChangedError(RecordsError):
    """It was changed since it was read."""

    code = "precondition_failed"


class ThereError(RecordsError):
    """It is there already, and was to be made only if it was not (`If-None-Match: *`); read it, or leave the header out."""

    code = "precondition_failed"


def is_there(etag: str, if_none_match: str | None) -> bool:
    """Whether an `If-None-Match` names what would be sent."""
    return if_none_match is not None and (if_none_match.strip() == "*" or etag in if_none_match)


def etag_of(resource: BaseModel) -> str:
    """The strong ETag of what a resource looks like from outside, in whichever order a database keeps the keys of JSON."""
    text = json.dumps(resource.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return f'"{sha256(text.encode()).hexdigest()[:32]}"'


class Reading:
    """Answers a GET with an ETag, or with 304."""

    def __init__(self, response: Response, if_none_match: str | None) -> None:
        self._response = response
        self._if_none_match = if_none_match

    def __call__(self, resource: ResourceT) -> ResourceT:
        """What is to be answered.

        Raises:
            NotModifiedError: the asker has it.
        """
        etag = etag_of(resource)
        if is_there(etag, self._if_none_match):
            raise NotModifiedError(etag)
        self._response.headers["ETag"] = etag
        self._response.headers["Cache-Control"] = "private, no-cache"
        return resource


class Writing:
    """Lets a change through if `If-Match` names what is there. What is there has to be locked until the transaction ends."""

    def __init__(self, response: Response, if_match: str | None) -> None:
        self._response = response
        self._if_match = if_match

    def check(self, shown: Callable[[], BaseModel]) -> None:
        """Compare with what is there, if that was asked for. `shown` makes what a GET would answer.

        Raises:
            ChangedError: it is another one.
        """
        given = self._if_match
        if given is None or given.strip() == "*":
            return
        etag = etag_of(shown())
        if etag not in _TAG.findall(given):  # a weak one never names what is to be changed
            raise ChangedError(
                f"it was changed since you read it, so nothing was done: its ETag is now {etag}, and If-Match has {given:.100}. "
                "Read it again and decide anew, or leave If-Match out to change it whatever it is now"
            )

    def check_absent(self) -> None:
        """What is to be changed is not there: fine, unless `If-Match` asks for something to be there.

        Raises:
            ChangedError: it does.
        """
        if self._if_match is not None:
            raise ChangedError(
                "it is not there (any more), so there is nothing that If-Match could name; leave If-Match out to make it"
            )

    def done(self, resource: ResourceT) -> ResourceT:
        """What is to be answered: the resource as it is now, with its ETag."""
        self._response.headers["ETag"] = etag_of(resource)
        return resource


async def _reading(response: Response, if_none_match: IfNoneMatch = None) -> Reading:
    return Reading(response, if_none_match)


async def _writing(response: Response, if_match: IfMatch = None) -> Writing:
    return Writing(response, if_match)


ReadingDep = Annotated[Reading, Depends(_reading)]
WritingDep = Annotated[Writing, Depends(_writing)]
