"""Models."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.errors import NotFoundError
from records.models import Model, ModelFile
from records.queries import pages


def get(session: Session, model_id: str) -> Model:
    """Find a model.

    Raises:
        NotFoundError: there is none with this id.
    """
    model = session.get(Model, model_id)
    if model is None:
        raise NotFoundError.of("model", model_id)
    return model


def file(session: Session, model_id: str, name: str) -> ModelFile:
    """Find a file of a model.

    Raises:
        NotFoundError: there is no such model, or it has no such file.
    """
    model = get(session, model_id)
    found = next((file for file in model.files if file.name == name), None)
    if found is None:
        raise NotFoundError(f"model {model_id} has no file {name!r}; it has {', '.join(file.name for file in model.files)}")
    return found


def page(
    session: Session, *, limit: int, after: str | None, dataset_id: str | None = None, task: str | None = None
) -> tuple[list[Model], bool]:
    """One page of models, the newest first, and whether there is more."""
    query = select(Model)
    for column, value in ((Model.dataset_id, dataset_id), (Model.task, task)):
        if value is not None:
            query = query.where(column == value)
    return pages.newest_first(session, query, Model.id, limit, after)
