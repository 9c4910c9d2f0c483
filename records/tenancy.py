"""Whose records a transaction works on.

A session that acts for a project finds only what is that project's, whatever the query, and what it adds becomes that project's. So
no query has to remember it, and one that is forgotten finds nothing instead of everything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import LoaderCriteriaOption, ORMExecuteState, Session, UOWTransaction, sessionmaker, with_loader_criteria

from records.models.base import Owned
from records.models.project import DEFAULT_PROJECT

NOBODY = "proj_nobody"
"""A project that nothing belongs to."""
_PROJECT, TOUCHED, MADE = "project_id", "touched", "made"


@dataclass(frozen=True)
class Actor:
    """Who asks for something over HTTP, and what for."""

    project_id: str
    key_id: str
    scope: str
    """`read`, `write` or `admin`."""
    operator: bool
    """Whether the project administers the server."""
    action: str
    """The operation, by the name that the OpenAPI document has for it."""
    subjects: tuple[str, ...]
    """Ids in the address that was asked for."""
    request_id: str
    address: str


_acting: ContextVar[Actor | None] = ContextVar("actor", default=None)


def acting() -> Actor | None:
    """Who this request is from; None before that is known, and outside of requests."""
    return _acting.get()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Act for somebody within a block."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def act_from_now_on(actor: Actor) -> None:
    """Act for somebody in the rest of this context, which is that of a request."""
    _acting.set(actor)


def info_of(actor: Actor | None) -> dict[str, Any]:
    """What a session that acts for somebody, or for nobody, has to know."""
    return {_PROJECT: NOBODY if actor is None else actor.project_id}


def act_for(session: Session, project_id: str) -> None:
    """Have a session work on the records of one project."""
    session.info[_PROJECT] = project_id


def guard(sessions: sessionmaker[Session]) -> None:
    """Keep the sessions of a maker to their project."""
    event.listen(sessions, "do_orm_execute", _keep_to_project)
    event.listen(sessions, "before_flush", _give_project)


def _keep_to_project(state: ORMExecuteState) -> None:
    info = state.session.info
    if state.is_insert or state.is_update or state.is_delete:
        info[TOUCHED] = True
    project_id = info.get(_PROJECT)
    if project_id is None or not (state.is_select or state.is_update or state.is_delete) or state.is_column_load:
        return
    state.statement = state.statement.options(_of_project(project_id))


@lru_cache(maxsize=1000)
def _of_project(project_id: str) -> LoaderCriteriaOption:
    """Kept, since to make it takes as long as to find a record."""
    return with_loader_criteria(Owned, lambda record: record.project_id == project_id, include_aliases=True)


def _give_project(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    if session.new or session.dirty or session.deleted:
        session.info[TOUCHED] = True
    for record in session.new:
        if isinstance(record, Owned) and getattr(record, "project_id", None) is None:
            record.project_id = session.info.get(_PROJECT, DEFAULT_PROJECT)
            session.info.setdefault(MADE, []).append(inspect(record).mapper.primary_key_from_instance(record)[0])
