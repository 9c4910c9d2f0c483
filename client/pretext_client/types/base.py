"""Values: what the server answers with, read from its JSON."""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from pretext_client.errors import PretextError

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Value:
    """Something that the server answered with."""

    raw: Json = field(default_factory=dict, repr=False, compare=False)
    """The answer as it came, with the fields that this version does not know."""

    @classmethod
    def of(cls, answer: object) -> Self:
        """Read an answer.

        Raises:
            PretextError: it is no such value; something else than a Pretext Server has answered.
        """
        if not isinstance(answer, dict):
            raise PretextError(f"the answer is no {_noun(cls)}; is there a Pretext Server at this address?")
        found: dict[str, Any] = {"raw": answer}
        for one in fields(cls):
            if one.name in answer and one.name != "raw":
                found[one.name] = _read(one.type, answer[one.name])
            elif one.default is MISSING and one.default_factory is MISSING:
                raise PretextError(f"the server's {_noun(cls)} has no `{one.name}`; is there a Pretext Server at this address?")
        return cls(**found)


def _noun(cls: type) -> str:
    return cls.__name__.removeprefix("Async").lower()


def _read(hint: Any, found: Any) -> Any:
    """Turn JSON into what a field is declared as."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if found is None:
        return None
    if origin in {types.UnionType, typing.Union}:
        return _read(next(one for one in arguments if one is not type(None)), found)
    if origin is tuple:
        return tuple(found) if arguments[0] is float else tuple(_read(arguments[0], one) for one in found)
    if hint is datetime:
        return datetime.fromisoformat(found)
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint.of(found)
    return found


@dataclass(frozen=True, kw_only=True)
class Trouble(Value):
    """Why something failed."""

    code: str
    """For programs."""
    message: str
    """For people."""


class Owned:
    """A value that knows the client by which it came, so that it can do things: `job.wait()`."""

    _owner: Any = None

    def owned(self, owner: object) -> Self:
        """Give it its client. The value itself stays as frozen as it is: nothing that it compares or shows changes."""
        object.__setattr__(self, "_owner", owner)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What is copied or pickled: connections are not."""
        return {name: value for name, value in self.__dict__.items() if name != "_owner"}
