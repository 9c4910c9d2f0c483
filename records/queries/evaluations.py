"""Evaluations of models: find, list, delete."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from records.errors import NotFoundError
from records.models import Evaluation
from records.queries import pages, rows
from records.queries.pages import EVERYTHING, Narrow


def get(session: Session, evaluation_id: str) -> Evaluation:
    """Find an evaluation.

    Raises:
        NotFoundError: there is none with this id.
    """
    evaluation = session.get(Evaluation, evaluation_id)
    if evaluation is None:
        raise NotFoundError.of("evaluation", evaluation_id)
    return evaluation


def locked(session: Session, evaluation_id: str) -> Evaluation:
    """Find an evaluation for a change; nobody else changes it before the transaction ends.

    Raises:
        NotFoundError: there is none with this id.
    """
    return rows.locked(session, Evaluation, evaluation_id, "evaluation")


def file(session: Session, evaluation_id: str, name: str) -> dict[str, Any]:
    """Find a file of an evaluation: `{name, key, bytes, sha256}`.

    Raises:
        NotFoundError: there is no such evaluation, or it has no such file.
    """
    files: list[dict[str, Any]] = get(session, evaluation_id).files
    found = next((file for file in files if file["name"] == name), None)
    if found is None:
        names = ", ".join(file["name"] for file in files)
        raise NotFoundError(f"evaluation {evaluation_id} has no file {name!r}; it has {names}")
    return found


def page(
    session: Session,
    *,
    limit: int,
    after: str | None,
    model_id: str | None = None,
    dataset_id: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[Evaluation], bool]:
    """One page of evaluations without their reports, and whether there is more."""
    equal = [(Evaluation.model_id, model_id), (Evaluation.dataset_id, dataset_id)]
    return pages.page(
        session,
        select(Evaluation),
        Evaluation,
        limit=limit,
        after=after,
        narrow=narrow,
        equal=equal,
        options=(defer(Evaluation.report),),
    )


def of_model(session: Session, model_id: str) -> Iterator[Evaluation]:
    """The evaluations of a model with their reports, the newest first, each read when it is asked for."""
    for id_ in session.scalars(select(Evaluation.id).where(Evaluation.model_id == model_id).order_by(Evaluation.id.desc())).all():
        yield session.get_one(Evaluation, id_)


def newest_by_dataset(session: Session, model_id: str) -> list[Evaluation]:
    """The newest evaluation of a model on each dataset, with its report; the newest first."""
    newest = (
        select(func.max(Evaluation.id)).where(Evaluation.model_id == model_id).group_by(Evaluation.dataset_id).scalar_subquery()
    )
    return list(session.scalars(select(Evaluation).where(Evaluation.id.in_(newest)).order_by(Evaluation.id.desc())))


def delete(session: Session, evaluation_id: str) -> None:
    """Delete an evaluation's record. The job that made it stays, without it.

    Raises:
        NotFoundError: there is none with this id.
    """
    session.delete(get(session, evaluation_id))
