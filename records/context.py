"""Which request, job and worker something is said about. Everything that is logged carries it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Thread
from typing import Any

NAMES = ("request_id", "job_id", "attempt", "project_id", "worker_id")
"""What is known by name, in the order in which it is shown."""

_about: ContextVar[dict[str, Any]] = ContextVar("about")
_process: dict[str, Any] = {}


def about() -> dict[str, Any]:
    """What is known here."""
    return {**_process, **_about.get({})}


@contextmanager
def bound(**ids: Any) -> Iterator[None]:
    """Within a block, everything is about these as well. None is left out."""
    known = {name: value for name, value in ids.items() if value is not None}
    token = _about.set({**_about.get({}), **known})
    try:
        yield
    finally:
        _about.reset(token)


def bind(**ids: Any) -> None:
    """For the rest of this context, such as a request's, everything is about these as well."""
    _about.set({**_about.get({}), **ids})


def bind_process(**ids: Any) -> None:
    """Everything that this process says is about these as well."""
    _process.update(ids)


def thread(target: Callable[..., None], *arguments: Any, name: str) -> Thread:
    """A thread, not started yet, that knows what is known where it was made. It never keeps the process from ending."""
    context = copy_context()
    return Thread(target=context.run, args=[target, *arguments], name=name, daemon=True)
