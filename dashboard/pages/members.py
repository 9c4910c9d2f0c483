"""Members: who may work in the project, and by which keys."""

from collections.abc import Callable
from typing import Any

from nicegui import html, ui
from pretext_client.types import Member

from dashboard import words
from dashboard.calls import ask, notice, told
from dashboard.pages.base import Page
from dashboard.parts import basics
from dashboard.parts.listing import BUTTONS, Listing
from dashboard.parts.questions import Given, Question
from dashboard.parts.scopes import up_to


async def build() -> None:
    """The list."""
    with basics.heading("Members", "People, and programs, that keys are given to. They sign in with their keys."):
        basics.button("Add a member", _add, look="primary", icon_name="new")
    listing = Listing(
        lambda pretext, after, limit: list(pretext.members.list(after=after, limit=limit)),
        lambda member: _row(member, listing),
        columns=("Name", "Role", "Added", BUTTONS),
        label="Members",
        none=_none,
        every=5,
    )
    await listing.start()


def _none() -> None:
    text = "Add who works with you, and then make a key for each. When somebody leaves, their keys go with them."
    with basics.empty("No members yet", text, "members"):
        basics.button("Add a member", _add)


def _row(member: Member, listing: Listing[Member]) -> Callable[[Member], None]:
    with html.td():
        name = html.div(member.name).classes("row-name")
        email = html.div(member.email or "").classes("quiet small")
    role = html.td(words.named(member.role)).classes("tight")
    with html.td().classes("tight quiet").props('data-label="added"'):
        basics.moment(member.created_at)
    with html.td().classes("tight of-buttons"), html.div().classes("actions"):
        keys = basics.link("Keys", f"/keys?member={member.id}", look="button small-button")
        keys.props["aria-label"] = f"Keys of {member.name}"
        basics.button("Change", lambda: _change(member.id, listing), look="small-button", label=f"Change {member.name}")
        basics.button("Remove", lambda: _remove(member, listing), look="danger small-button", label=f"Remove {member.name}")

    def update(now: Member) -> None:
        basics.set_text(name, now.name)
        basics.set_text(email, now.email or "")
        basics.set_text(role, words.named(now.role))

    return update


def _ask_for(title: str, member: Member | None = None) -> Question:
    """The fields of a member, as they are now."""
    with Question(title) as asked:
        name, email, role = (member.name, member.email or "", member.role) if member else ("", "", "write")
        asked.text("name", "Name", help_="Of a person, or of a program.", value=name, needed=True)
        where = "Where they can be reached; the server sends no mail. May be left empty."
        asked.text("email", "E-mail", help_=where, value=email, kind="email")
        asked.select("role", "Their keys may, at most", up_to("admin"), chosen=role)
    return asked


def _given(given: Given) -> dict[str, Any]:
    return {"name": given.text("name"), "role": given.text("role"), "email": given.text("email") or None}


async def _add() -> None:
    asked = _ask_for("Add a member")

    async def send(given: Given) -> Member:
        return await ask(lambda pretext: pretext.members.create(**_given(given)))

    made = await asked.answered("Add", send)
    if made is not None:
        notice(f"“{made.name}” is a member now. Make a key for them next.")
        ui.navigate.to(f"/keys?member={made.id}")


async def _change(member_id: str, listing: Listing[Member]) -> None:
    with told():
        member = await ask(lambda pretext: pretext.members.get(member_id))
        asked = _ask_for(f"Change “{member.name}”", member)

        async def send(given: Given) -> Member:
            return await ask(lambda pretext: pretext.members.update(member_id, **_given(given)))

        if await asked.answered("Change", send) is not None:
            notice("The member is changed.")
            await listing.refresh()


async def _remove(member: Member, listing: Listing[Member]) -> None:
    text = "Their keys are revoked: what uses them is refused from its next request on. What they made stays the project's."
    if not await basics.confirmed(f"Remove “{member.name}”?", text, "Remove"):
        return
    with told():
        await ask(lambda pretext: pretext.members.delete(member.id))
        notice(f"“{member.name}” is removed, and their keys are revoked.")
        await listing.refresh()
        ui.run_javascript("page.back()")


PAGE = Page("/members", "Members", build, icon="members", needs="admin")
