"""Keys: what programs and people prove themselves by."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import islice

from nicegui import html, ui
from nicegui.element import Element
from pretext_client.types import Key, Member

from dashboard import words
from dashboard.calls import ask, notice, to_sign_in, told
from dashboard.pages.base import Page
from dashboard.parts import basics
from dashboard.parts.listing import BUTTONS, Listing
from dashboard.parts.questions import Given, Question, WrongError, shown_once
from dashboard.parts.scopes import up_to

_MOST_MEMBERS = 500
_SOON = timedelta(days=7)
_EXPIRIES = (("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("day", "On a day of your choice"), ("", "Never"))
_USUAL_EXPIRY = "90"


async def build(member: str = "") -> None:
    """All keys, or a member's."""
    members = await ask(lambda pretext: {one.id: one for one in islice(pretext.members.list(), _MOST_MEMBERS)})
    if member and member not in members:
        members[member] = await ask(lambda pretext: pretext.members.get(member))
    own = await ask(lambda pretext: pretext.keys.current())
    whose = members.get(member)
    lead = "What programs and people prove themselves by. Give each its own, so that you can revoke it alone."
    with basics.heading(f"Keys of {whose.name}" if whose else "Keys", lead, back=("Members", "/members") if whose else None):
        basics.button("New key", lambda: _create(members, whose, listing), look="primary", icon_name="new")
    listing = Listing(
        lambda pretext, after, limit: list(pretext.keys.list(member_id=member or None, after=after, limit=limit)),
        lambda key: _row(key, members, own, listing),
        columns=("Key", "State", "Scope", "Whose", "Expires", "Last used", BUTTONS),
        label="Keys",
        none=lambda: _none(members, whose, listing),
        every=5,
    )
    await listing.start()


def _none(members: dict[str, Member], whose: Member | None, listing: Listing[Key]) -> None:
    text = "Make one, and give it to whoever, or whatever, shall use it."
    with basics.empty(f"{whose.name} has no keys yet" if whose else "No keys yet", text, "keys"):
        basics.button("New key", lambda: _create(members, whose, listing))


def _row(key: Key, members: dict[str, Member], own: Key, listing: Listing[Key]) -> Callable[[Key], None]:
    with html.td():
        html.div(key.name).classes("row-name")
        html.div(f"{key.prefix}…").classes("quiet small mono")
    with html.td().classes("tight"):
        state = basics.state(_state(key))
    html.td(words.named(key.scope)).classes("tight")
    with html.td().classes("tight"):
        if key.id == own.id:
            html.span("This page's key").classes("badge")
        elif key.member_id in members:
            html.a(members[key.member_id].name, href=f"/keys?member={key.member_id}")
    expires = html.td(_expiry(key)).classes("tight quiet").props('data-label="expires"')
    used = html.td(_used(key)).classes("tight quiet").props('data-label="last used"')
    with html.td().classes("tight of-buttons"):
        revoke = basics.button("Revoke", lambda: _revoke(key, own, listing), look="danger small-button", label=f"Revoke {key.name}")

    def update(now: Key) -> None:
        basics.set_state(state, _state(now))
        basics.set_text(expires, _expiry(now))
        basics.set_text(used, _used(now))
        revoke.set_visibility(_state(now) == "valid")

    update(key)
    return update


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= datetime.now(UTC) else "valid"


def _expiry(key: Key) -> str:
    if key.revoked_at is not None:
        return ""
    if key.expires_at is None:
        return "never"
    left = key.expires_at - datetime.now(UTC)
    if left <= timedelta(0):
        return words.ago(key.expires_at)
    return f"in {words.duration(left.total_seconds())}" if left < _SOON else f"on {key.expires_at:%Y-%m-%d}"


def _used(key: Key) -> str:
    return words.ago(key.last_used_at) if key.last_used_at is not None else "never"


async def _create(members: dict[str, Member], whose: Member | None, listing: Listing[Key]) -> None:
    """Ask for what it shall be, make it, and show it once."""
    with Question("New key") as asked:
        asked.text("name", "Name", help_="What it is for, such as the program that will use it.", needed=True)
        asked.select("scope", "It may", up_to(whose.role if whose else "admin"), chosen=whose.role if whose else "write")
        if members:
            people = [("", "Nobody's in particular"), *((one.id, one.name) for one in members.values())]
            chosen = whose.id if whose else ""
            asked.select("member_id", "Whose it is", people, chosen=chosen, help_="It is revoked when its member is removed.")
        day: Element

        def choose(choice: str) -> None:
            day.set_visibility(choice == "day")

        asked.select("expiry", "It expires", _EXPIRIES, chosen=_USUAL_EXPIRY, on_change=choose)
        day = asked.text("expires_at", "Its last day", help_="In UTC. From the next day on it is refused.", kind="date")
        day.set_visibility(False)

    async def send(given: Given) -> Key:
        expires = _moment(given)
        return await ask(
            lambda pretext: pretext.keys.create(
                given.text("name"), scope=given.text("scope"), member_id=given.text("member_id") or None, expires_at=expires
            )
        )

    made = await asked.answered("Make the key", send)
    if made is None:
        return
    await listing.refresh()
    await shown_once(f"The key “{made.name}”", f"Whoever has it may {made.scope} in this project.", str(made.key), "the key")


def _moment(given: Given) -> datetime | None:
    """When the key expires.

    Raises:
        WrongError: no day was chosen.
    """
    choice = given.text("expiry")
    if choice == "day":
        try:
            last = datetime.fromisoformat(given.text("expires_at")).date()
        except ValueError as error:
            raise WrongError("expires_at", "Choose a day.") from error
        return datetime.combine(last, time.max, UTC)
    return datetime.now(UTC) + timedelta(days=int(choice)) if choice else None


async def _revoke(key: Key, own: Key, listing: Listing[Key]) -> None:
    text = "What uses it is refused from its next request on. It cannot be undone."
    if key.id == own.id:
        text = f"You are signed in with this very key: you will be signed out. {text}"
    if not await basics.confirmed(f"Revoke “{key.name}”?", text, "Revoke"):
        return
    with told():
        await ask(lambda pretext: pretext.keys.revoke(key.id))
        if key.id == own.id:
            to_sign_in()
            return
        notice(f"“{key.name}” is revoked.")
        await listing.refresh()
        ui.run_javascript("page.back()")


PAGE = Page("/keys", "Keys", build, icon="keys", needs="admin")
