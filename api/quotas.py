"""How much a project may still upload."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from sqlalchemy.orm import Session

from api.services import Services
from records.errors import QuotaError, TooLargeError
from records.queries import projects
from records.tenancy import acting


@asynccontextmanager
async def upload_bound(services: Services) -> AsyncIterator[int]:
    """The most bytes that an upload may have: what this server takes, or what is left of the project's quota.

    Raises:
        QuotaError: nothing is left, or what came within the block was more than that.
    """
    most = services.settings.max_upload_bytes
    left = await anyio.to_thread.run_sync(_room, services)
    try:
        yield most if left is None else min(most, left)
    except TooLargeError as error:
        if left is None or left >= most:
            raise
        raise _more_than(left) from error


def check_quota(session: Session, size: int) -> None:
    """See whether a project may store so many bytes more, noted in the same transaction. Others that ask wait for its end.

    Raises:
        QuotaError: it may not.
    """
    actor = acting()
    assert actor is not None
    project = projects.locked(session, actor.project_id)
    left = None if project.most_bytes is None else projects.room(session, actor.project_id)
    if left is not None and size > left:
        raise _more_than(left)


def _more_than(left: int) -> QuotaError:
    return QuotaError(
        f"the project may store {left:,} bytes more, and this is larger; delete datasets or models, or have the quota raised"
    )


def _room(services: Services) -> int | None:
    actor = acting()
    assert actor is not None
    with services.database.read() as session:
        return projects.room(session, actor.project_id)
