"""Aliases of models over HTTP."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.errors import responses
from api.etags import ReadingDep, ThereError, WritingDep
from api.narrowing import ModelRef, TimeDep
from api.pages import After, Limit, Moment, Page, Resource
from api.services import SessionDep
from records.errors import InvalidError
from records.models import ModelAlias
from records.queries import aliases, models

router = APIRouter(prefix="/v1/models/aliases", tags=["models"])

_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Alias = Annotated[
    str,
    Path(
        pattern=_PATTERN,
        description="Up to 64 letters, digits, dots, dashes and underscores, not beginning with `model_`.",
        examples=["production"],
    ),
]


class AliasRequest(BaseModel):
    """What an alias shall stand for."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model_id: str = Field(max_length=100)
    """The model: its id, or another alias, whose model it is now."""


class AliasOut(Resource):
    """A name that stands for a model wherever a model's id is taken."""

    object: Literal["model.alias"] = "model.alias"
    """Always `model.alias`."""
    id: str
    """Begins with `alias_`. For `after` in lists."""
    name: str
    """The alias."""
    model_id: str
    """What it stands for."""
    created_at: Moment
    """When it was made."""
    updated_at: Moment
    """When it was last moved to another model."""

    @classmethod
    def of(cls, alias: ModelAlias) -> Self:
        """Show a record."""
        return cls.model_validate({name: getattr(alias, name) for name in cls.model_fields if name != "object"})


@router.get("", summary="List aliases", responses=responses(401))
def list_aliases(
    session: SessionDep, narrow: TimeDep, limit: Limit = 20, after: After = None, model_id: ModelRef = None
) -> Page[AliasOut]:
    """The newest first."""
    model = None if model_id is None else aliases.resolve(session, model_id)
    found, more = aliases.page(session, limit=limit, after=after, model_id=model, narrow=narrow)
    return Page(data=[AliasOut.of(alias) for alias in found], has_more=more)


@router.get("/{alias}", summary="Read an alias", responses=responses(401, 404))
def read_alias(alias: Alias, session: SessionDep, answer: ReadingDep) -> AliasOut:
    """Which model it stands for. `GET /v1/models/{alias}` gives the model itself."""
    return answer(AliasOut.of(aliases.get(session, alias)))


@router.put(
    "/{alias}",
    summary="Make or move an alias",
    responses={201: {"model": AliasOut, "description": "It is new."}, **responses(401, 404, 412, 422)},
)
def put_alias(
    alias: Alias,
    request: AliasRequest,
    response: Response,
    session: SessionDep,
    writing: WritingDep,
    if_none_match: Annotated[str | None, Header(description="`*`: only make it, if it is not there.")] = None,
) -> AliasOut:
    """Have a name stand for a model from now on, in one step: nobody ever finds it without one.

    Jobs that were asked for by the alias keep the model that it stood for then. With `If-Match`, it is moved only if nobody else
    has moved it.

    `curl -X PUT -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" http://127.0.0.1:8000/v1/models/aliases/best
    -d '{"model_id": "model_…"}'`
    """
    if alias.startswith("model_"):
        raise InvalidError("an alias does not begin with `model_`, as ids do; choose another name", param="alias")
    model_id = models.get(session, request.model_id, param="model_id").id
    found = aliases.find(session, alias, lock=True)
    if found is None:
        writing.check_absent()
        made = aliases.make(session, alias, model_id)
        if made is not None:
            response.status_code = 201
            return writing.done(AliasOut.of(made))
        found = aliases.find(session, alias, lock=True)
        assert found is not None
    if if_none_match is not None:
        raise ThereError
    there = AliasOut.of(found)
    writing.check(lambda: there)
    aliases.move(session, found, model_id)
    return writing.done(AliasOut.of(found))


@router.delete("/{alias}", status_code=204, summary="Delete an alias", responses=responses(401, 404, 412))
def delete_alias(alias: Alias, session: SessionDep, writing: WritingDep) -> None:
    """Delete a name. The model that it stood for stays."""
    found = aliases.find(session, alias, lock=True) or aliases.get(session, alias)
    writing.check(lambda: AliasOut.of(found))
    session.delete(found)
