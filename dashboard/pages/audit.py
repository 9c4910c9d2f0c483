"""The audit log: who did what, and what was refused for want of rights."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice

from nicegui import html
from pretext_client.types import AuditEntry, Key

from dashboard import actions, words
from dashboard.calls import ask
from dashboard.pages.base import Page
from dashboard.parts import basics
from dashboard.parts.filters import Filters
from dashboard.parts.listing import Listing

_MOST = 500
"""As many keys and members are known by their names; older ones by their ids."""
_MOST_SUBJECTS = 3
_OUTCOMES = ("done", "denied")


async def build(action: str = "", key: str = "", outcome: str = "", since: str = "", until: str = "") -> None:
    """The log, with filters."""
    keys = await ask(lambda pretext: {one.id: _name(one) for one in islice(pretext.keys.list(), _MOST)})
    members = await ask(lambda pretext: {one.id: one.name for one in islice(pretext.members.list(), _MOST)})
    if key:
        keys.setdefault(key, key)  # what the list is narrowed by has to be among what can be chosen
    basics.heading("Audit", "Who did what, and what was refused for want of rights, the newest first.")
    chosen = {
        "action": action if action in actions.WORDS else "",
        "key": key,
        "outcome": outcome if outcome in _OUTCOMES else "",
        "since": since if _day(since) else "",
        "until": until if _day(until) else "",
    }

    async def show() -> None:
        await _listing(chosen, {**keys, **members})

    filters = Filters("/audit", chosen, show)
    filters.select("action", "What", sorted(actions.WORDS.items(), key=lambda pair: pair[1]))
    filters.select("key", "By the key", [*keys.items()])
    filters.select("outcome", "Outcome", [(one, words.named(one)) for one in _OUTCOMES])
    filters.day("since", "From the day")
    filters.day("until", "To the day")
    await filters.show()


async def _listing(chosen: Mapping[str, str], names: Mapping[str, str]) -> None:
    now = {name: value or None for name, value in chosen.items()}
    since, last = _day(chosen["since"]), _day(chosen["until"])
    until = last + timedelta(days=1) if last else None
    await Listing(
        lambda pretext, after, limit: list(
            pretext.audit(
                action=now["action"],
                key_id=now["key"],
                outcome=now["outcome"],
                since=since,
                until=until,
                after=after,
                limit=limit,
            )
        ),
        lambda entry: _row(entry, names),
        columns=("What", "Outcome", "By the key", "Of", "From", "When"),
        label="Audit log",
        none=lambda: _none(filtered=any(chosen.values())),
        every=5,
    ).start()


def _none(*, filtered: bool) -> None:
    if filtered:
        with basics.empty("Nothing of this kind", "Nothing in the log is as the filters ask.", "audit"):
            basics.link("Show everything", "/audit", look="button")
        return
    text = "Uploads, trainings, new keys and all else that changes something is noted here from now on."
    with basics.empty("Nothing was done yet", text, "audit"):
        basics.link("Upload pictures", "/datasets", look="button")


def _row(entry: AuditEntry, names: Mapping[str, str]) -> Callable[[AuditEntry], None]:
    with html.td():
        html.div(actions.in_words(entry.action)).classes("row-name")
        html.div(entry.request_id or entry.action).classes("quiet small mono")
    with html.td().classes("tight"):
        basics.state(entry.outcome)
    with html.td().props('data-label="by"'):
        _by(entry, names)
    with html.td():
        for subject in entry.subjects[:_MOST_SUBJECTS]:
            _subject(subject, names)
        if len(entry.subjects) > _MOST_SUBJECTS:
            html.div(f"and {len(entry.subjects) - _MOST_SUBJECTS} more").classes("quiet small")
    html.td(entry.address or "").classes("tight quiet").props('data-label="from"')
    with html.td().classes("tight quiet"):
        basics.moment(entry.at)
        html.div(f"{entry.at:%Y-%m-%d %H:%M:%S} UTC").classes("small num")
    return lambda _: None  # what was done stays so


def _by(entry: AuditEntry, names: Mapping[str, str]) -> None:
    if entry.key_id is None:
        html.span("the server itself").classes("quiet")
    elif entry.key_id in names:
        html.span(names[entry.key_id])
    else:
        html.span(entry.key_id).classes("small mono")


def _subject(subject: str, names: Mapping[str, str]) -> None:
    with html.div().classes("small"):
        path = actions.page_of(subject)
        if path is not None:
            html.a(subject, href=path).classes("mono")
        elif subject in names:
            html.span(f"{'the key' if subject.startswith('key_') else 'the member'} {names[subject]}")
        else:
            html.span(subject).classes("mono")


def _name(key: Key) -> str:
    return f"{key.name}, revoked" if key.revoked_at is not None else key.name


def _day(text: str) -> datetime | None:
    """The beginning of a day in UTC; None if the text is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


PAGE = Page("/audit", "Audit", build, icon="audit", needs="admin")
