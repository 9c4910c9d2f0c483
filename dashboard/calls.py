"""How a page speaks to the server: client calls in threads, and what went wrong in words."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from nicegui import ui
from pretext_client import ApiError, ConnectionFailed, NotFound, Pretext, PretextError, Unauthorized

from dashboard.sessions import Session
from dashboard.threads import in_thread

ResultT = TypeVar("ResultT")
logger = logging.getLogger(__name__)


def session() -> Session:
    """Who looks at the page that is being built, or whose event is being handled."""
    found = ui.context.client.storage["session"]
    assert isinstance(found, Session)
    return found


async def ask(work: Callable[[Pretext], ResultT]) -> ResultT:
    """Call the client in a thread.

    Such as `job = await ask(lambda pretext: pretext.jobs.get(job_id))`.

    Raises:
        PretextError: what the client raises.
    """
    return await _call(session(), work)


async def gathered(works: Iterable[Callable[[Pretext], ResultT]]) -> list[ResultT]:
    """What several calls give, made at the same time, in their order.

    Raises:
        PretextError: what the first that failed raised.
    """
    mine = session()  # a task of its own would not know whose page it is
    return list(await asyncio.gather(*(_call(mine, work) for work in works)))


async def _call(mine: Session, work: Callable[[Pretext], ResultT]) -> ResultT:
    if not mine.ended:
        try:
            return await in_thread(work, mine.client)
        except RuntimeError:  # the client was closed meanwhile
            if not mine.ended:
                raise
    raise Unauthorized(401, "unauthorized", "you are signed out")


@dataclass(frozen=True)
class Trouble:
    """What went wrong, for people."""

    title: str
    detail: str
    request_id: str | None = None
    signed_out: bool = False

    @classmethod
    def of(cls, error: PretextError) -> "Trouble":
        """Say what happened and how to go on."""
        if isinstance(error, ConnectionFailed):
            return cls("The server does not answer", f"{_sentence(str(error))} This page tries again by itself.")
        if isinstance(error, Unauthorized) and error.status == 401:
            return cls("You are signed out", "Your key is not valid any more. Sign in again.", error.request_id, signed_out=True)
        if isinstance(error, ApiError) and error.code == "quota_exceeded":
            return cls("The quota is used up", _sentence(error.detail), error.request_id)
        if isinstance(error, Unauthorized):
            return cls("Your key may not do that", _sentence(error.detail), error.request_id)
        if isinstance(error, NotFound):
            return cls("Not found", _sentence(error.detail), error.request_id)
        if isinstance(error, ApiError):
            return cls("That did not work", _sentence(error.detail), error.request_id)
        return cls("That did not work", _sentence(str(error)))


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


@contextmanager
def told() -> Iterator[None]:
    """Tell by a notice what goes wrong within, and leave the block: for what buttons do."""
    try:
        yield
    except PretextError as error:
        trouble = Trouble.of(error)
        if trouble.signed_out:
            to_sign_in()
            return
        reference = f" ({trouble.request_id})" if trouble.request_id else ""
        notice(f"{trouble.title}: {trouble.detail}{reference}", bad=True)


def notice(text: str, *, bad: bool = False) -> None:
    """A short message at the edge of the page, which screen readers read out."""
    looks = "notice bad" if bad else "notice"  # Quasar's own types have colours that no style of ours is stronger than
    ui.notify(text, classes=looks, position="bottom-right", timeout=9000 if bad else 4000, close_button="✕")


def to_sign_in() -> None:
    """Leave for the form, which is no page of NiceGUI: `ui.navigate.to` would look for it among the pages."""
    ui.run_javascript("location.assign('/sign-in?to=' + encodeURIComponent(location.pathname))")


async def rebuild() -> None:
    """Build the page anew, in place, after something has changed that all of it depends on."""
    await ui.context.client.sub_pages_router.refresh()
