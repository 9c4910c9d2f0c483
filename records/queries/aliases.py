"""Aliases of models: names that stand for one model each, and are moved in one step."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from records.database import now
from records.errors import NotFoundError
from records.ids import new_id
from records.models import Model, ModelAlias
from records.queries import pages
from records.queries.pages import EVERYTHING, Narrow

_OF_MODELS = "model_"


def resolve(session: Session, model: str) -> str:
    """The id that somebody means who gives an id or an alias. What is neither comes back as it is, and will not be found."""
    if model.startswith(_OF_MODELS):
        return model
    return session.scalar(select(ModelAlias.model_id).where(ModelAlias.name == model)) or model


def get(session: Session, name: str) -> ModelAlias:
    """Find an alias.

    Raises:
        NotFoundError: there is none of this name.
    """
    alias = find(session, name)
    if alias is None:
        raise NotFoundError.of("alias", name)
    return alias


def find(session: Session, name: str, *, lock: bool = False) -> ModelAlias | None:
    """An alias, if there is one of this name; with `lock`, nobody else moves it before the transaction ends."""
    query = select(ModelAlias).where(ModelAlias.name == name)
    if lock:
        query = query.with_for_update()
    return session.scalar(query, execution_options={"populate_existing": lock})


def page(
    session: Session, *, limit: int, after: str | None, model_id: str | None = None, narrow: Narrow = EVERYTHING
) -> tuple[list[ModelAlias], bool]:
    """One page of aliases, and whether there is more."""
    equal = [(ModelAlias.model_id, model_id)]
    return pages.page(session, select(ModelAlias), ModelAlias, limit=limit, after=after, narrow=narrow, equal=equal)


def make(session: Session, name: str, model_id: str) -> ModelAlias | None:
    """Make an alias; None if somebody else has made one of this name in the same moment.

    Raises:
        NotFoundError: the model was deleted meanwhile.
    """
    _hold(session, model_id)
    moment = now(session)
    alias = ModelAlias(id=new_id("alias"), name=name, model_id=model_id, created_at=moment, updated_at=moment)
    try:
        with session.begin_nested():
            session.add(alias)
    except IntegrityError:
        return None
    return alias


def move(session: Session, alias: ModelAlias, model_id: str) -> None:
    """Have an alias, which is locked, stand for another model.

    Raises:
        NotFoundError: the model was deleted meanwhile.
    """
    _hold(session, model_id)
    if alias.model_id != model_id:
        alias.model_id = model_id
        alias.updated_at = now(session)
    session.flush()


def _hold(session: Session, model_id: str) -> None:
    """Keep a model from being deleted before the transaction ends."""
    if session.scalar(select(Model.id).where(Model.id == model_id).with_for_update(read=True)) is None:
        raise NotFoundError.of("model", model_id, "model_id")


def of_model(session: Session, model_id: str) -> list[str]:
    """The names that stand for a model."""
    return list(session.scalars(select(ModelAlias.name).where(ModelAlias.model_id == model_id).order_by(ModelAlias.name)))
