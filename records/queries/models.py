"""Models."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.blobs import Blobs
from records.database import now
from records.errors import ConflictError, IdempotencyError, NotFoundError
from records.models import Model, ModelFile
from records.queries import aliases, jobs, pages, rows
from records.queries.pages import EVERYTHING, Narrow

WEIGHTS = "encoder.safetensors"
CONFIG = "config.json"
"""The file of every model that has its encoder's weights."""
REWRITTEN = frozenset({"README.md", "SHA256SUMS"})
"""Files that may be others at the same address later: the card tells of evaluations."""
IMPORTED = "imported"
"""The task of a model that somebody uploaded."""


def create_imported(
    session: Session,
    *,
    model_id: str,
    name: str,
    encoder: dict[str, Any],
    features: int,
    image_size: int,
    files: list[ModelFile],
    metadata: dict[str, str],
    idempotency_key: str | None,
) -> Model:
    """Make a model of an encoder that was uploaded."""
    model = Model(
        id=model_id,
        name=name,
        job_id=None,
        task=IMPORTED,
        encoder=encoder,
        features=features,
        image_size=image_size,
        metrics={},
        files=files,
        meta=metadata,
        idempotency_key=idempotency_key,
        created_at=now(session),
    )
    session.add(model)
    session.flush()
    session.refresh(model, ["aliases"])  # so that it can be shown when the transaction is over
    return model


def replayed(session: Session, key: str | None, sha256: str) -> Model | None:
    """The model that an earlier upload with this idempotency key made.

    Raises:
        IdempotencyError: that upload had other weights.
    """
    model = session.scalar(select(Model).where(Model.idempotency_key == key)) if key else None
    if model is not None and file(session, model.id, WEIGHTS).sha256 != sha256:
        raise IdempotencyError
    return model


def get(session: Session, model_id: str, *, param: str | None = None) -> Model:
    """Find a model by its id or an alias.

    Raises:
        NotFoundError: there is none with this id or alias.
    """
    model = session.get(Model, aliases.resolve(session, model_id))
    if model is None:
        raise NotFoundError.of("model", model_id, param)
    return model


def exists(session: Session, model_id: str) -> bool:
    """Whether there is such a model."""
    return session.scalar(select(Model.id).where(Model.id == model_id)) is not None


def locked(session: Session, model_id: str) -> Model:
    """Find a model by its id or an alias, for a change that no other can be made at the same time as.

    Raises:
        NotFoundError: there is none with this id.
    """
    return rows.locked(session, Model, aliases.resolve(session, model_id), "model")


def to_start_from(session: Session, model_id: str, *, param: str) -> Model:
    """Find a model for a job that is made in the same transaction; until its end the model cannot be deleted.

    Raises:
        NotFoundError: there is none with this id.
    """
    id_ = aliases.resolve(session, model_id)
    if session.scalar(select(Model.id).where(Model.id == id_).with_for_update(read=True)) is None:
        raise NotFoundError.of("model", model_id, param)
    return session.get_one(Model, id_)


def are_there(session: Session, model_ids: Collection[str]) -> bool:
    """Whether there are all of these models, by their ids; none of them can be deleted before the transaction ends."""
    wanted = select(Model.id).where(Model.id.in_(model_ids)).with_for_update(read=True)
    return not model_ids or len(session.scalars(wanted).all()) == len(model_ids)


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


def lay_out(session: Session, blobs: Blobs, model_id: str, folder: Path) -> Path:
    """Link to a model's weights and configuration from a new folder, as a bundle has them.

    Raises:
        NotFoundError: there is no such model.
        FileNotFoundError: its files are gone.
    """
    folder.mkdir(parents=True)
    for file_ in get(session, model_id).files:
        if file_.name in {WEIGHTS, CONFIG}:
            (folder / file_.name).symlink_to(blobs.path(file_.key))
    return folder


def page(
    session: Session,
    *,
    limit: int,
    after: str | None,
    dataset_id: str | None = None,
    task: str | None = None,
    name: str | None = None,
    made_from: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[Model], bool]:
    """One page of models, and whether there is more."""
    equal = [(Model.dataset_id, dataset_id), (Model.task, task), (Model.name, name), (Model.made_from, made_from)]
    return pages.page(session, select(Model), Model, limit=limit, after=after, narrow=narrow, equal=equal)


def delete(session: Session, model_id: str) -> str:
    """Delete a model's record, and give its id. The job that made it stays, without it.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: a job that has not ended begins with its weights, evaluates it, or compares with it; or an alias names it.
    """
    model = locked(session, model_id)
    named = aliases.of_model(session, model.id)
    if named:
        raise ConflictError(
            f"this model is what {', '.join(named[:3])} stands for; move the alias to another model or delete it first"
        )
    active = jobs.active_from(session, model.id)
    if active:
        names = ", ".join(job.id for job in active[:3])
        raise ConflictError(f"jobs need this model ({names}); cancel them or wait for their end, then delete it")
    session.delete(model)
    return model.id
