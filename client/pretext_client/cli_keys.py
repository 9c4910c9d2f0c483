"""`pretext keys` and `members`: who may do what."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer

from pretext_client import completing
from pretext_client.cli_parts import Limit, group, listing
from pretext_client.cli_times import moment_of
from pretext_client.session import session
from pretext_client.shown import moment
from pretext_client.types import Key, Member

keys = group("What programs and people prove themselves by: list, show, create, rename, revoke.")
members = group("Who may work in the project: list, show, add, update, remove.")

KeyId = Annotated[str, typer.Argument(help="Id of the key.", metavar="KEY", autocompletion=completing.keys)]
MemberId = Annotated[str, typer.Argument(help="Id of the member.", metavar="MEMBER", autocompletion=completing.members)]
OfMember = Annotated[str | None, typer.Option(help="Only those of the member of this id.", autocompletion=completing.members)]


class Scope(StrEnum):
    """What a key is for; each may do what those before it may."""

    read = "read"
    write = "write"
    admin = "admin"


@listing(keys)
def list_keys(context: typer.Context, limit: Limit = 100, member: OfMember = None) -> None:
    """List the keys."""
    with session(context) as run:
        found = list(run.client.keys.list(member_id=member, limit=limit))
        rows = [
            (
                one.id,
                f"{one.prefix}…",
                one.name,
                _state(one),
                one.scope,
                one.member_id,
                _when(one.expires_at),
                _when(one.last_used_at),
            )
            for one in found
        ]
        run.output.table(("id", "begins", "name", "state", "scope", "whose", "expires", "last used"), found, rows)


@keys.command("show")
def show_key(
    context: typer.Context,
    key: Annotated[
        str | None, typer.Argument(help="Id of the key. Default: the one that is used now.", autocompletion=completing.keys)
    ] = None,
) -> None:
    """Say what a key is for, and when it was last used."""
    with session(context) as run:
        found = run.client.keys.get(key) if key else run.client.keys.current()
        told = f"{found.id}  {found.name} ({found.prefix}…): {_state(found)}, for {found.scope}"
        run.output.value(found, f"{told}\n  expires {_when(found.expires_at)}, last used {_when(found.last_used_at)}")


@keys.command("create")
def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[Scope, typer.Option(help="read: look and download; write: upload, train, delete; admin: make keys.")] = (
        Scope.write
    ),
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires. Default: never.")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it expires: a day, at the end of which it does, or a time.")
    ] = None,
    member: Annotated[str | None, typer.Option(help="Id of the member whose it is.", autocompletion=completing.members)] = None,
    project: Annotated[str | None, typer.Option(help="Id of another project, for the server's administrators.")] = None,
) -> None:
    """Make a key. It is printed this once, and kept nowhere."""
    if days is not None and expires is not None:
        raise typer.BadParameter("say when it expires by --days or by --expires, not by both")
    at = moment_of(expires, "--expires", end=True) if expires else None
    at = datetime.now(UTC) + timedelta(days=days) if days is not None else at
    with session(context) as run:
        made = run.client.keys.create(name, scope=scope.value, member_id=member, expires_at=at, project_id=project)
        run.output.note(f"{made.id} for {made.scope}; the key is shown this once:")
        run.output.value(made, str(made.key))


@keys.command("rename")
def rename_key(context: typer.Context, key: KeyId, name: Annotated[str, typer.Argument(help="What it is for.")]) -> None:
    """Give a key another name. What it is for stays: for that, make another and revoke this one."""
    with session(context) as run:
        found = run.client.keys.update(key, name=name)
        run.output.value(found, f"{found.id}  {found.name}")


@keys.command("revoke")
def revoke_key(context: typer.Context, key: KeyId) -> None:
    """Accept a key no longer."""
    with session(context) as run:
        found = run.client.keys.revoke(key)
        run.output.value(found, f"{found.id}  revoked")


@listing(members)
def list_members(context: typer.Context, limit: Limit = 100) -> None:
    """List the members."""
    with session(context) as run:
        found = list(islice(run.client.members.list(), limit))
        rows = [(one.id, one.name, one.role, one.email, moment(one.created_at)) for one in found]
        run.output.table(("id", "name", "role", "email", "since"), found, rows)


@members.command("add")
def add_member(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Of a person, or of a program.")],
    role: Annotated[Scope, typer.Option(help="The most that their keys can be for.")] = Scope.write,
    email: Annotated[str | None, typer.Option(help="Where they can be reached.")] = None,
) -> None:
    """Take somebody in. Make keys for them by `pretext keys create NAME --member ID`."""
    with session(context) as run:
        found = run.client.members.create(name, role=role.value, email=email)
        run.output.value(found, _told(found))


@members.command("show")
def show_member(context: typer.Context, member: MemberId) -> None:
    """Say who a member is. Their keys: `pretext keys --member ID`."""
    with session(context) as run:
        found = run.client.members.get(member)
        run.output.value(found, _told(found))


@members.command("update")
def update_member(
    context: typer.Context,
    member: MemberId,
    name: Annotated[str | None, typer.Option(help="Of a person, or of a program.")] = None,
    role: Annotated[Scope | None, typer.Option(help="The most that their keys can be for.")] = None,
    email: Annotated[str | None, typer.Option(help="Where they can be reached; '' takes it away.")] = None,
) -> None:
    """Change a member. What is not given stays."""
    asked = {"name": name, "role": role.value if role else None, "email": email}
    changes: dict[str, Any] = {key: value or None for key, value in asked.items() if value is not None}
    if not changes:
        raise typer.BadParameter("say what shall change: --name, --role or --email")
    with session(context) as run:
        found = run.client.members.update(member, **changes)
        run.output.value(found, _told(found))


@members.command("remove")
def remove_member(context: typer.Context, member: MemberId) -> None:
    """Let somebody go, and revoke their keys."""
    with session(context) as run:
        found = run.client.members.get(member)
        run.client.members.delete(found.id)
        run.output.value(found, f"{found.id}  removed; their keys are revoked")


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= datetime.now(UTC) else "valid"


def _when(at: datetime | None) -> str:
    return moment(at) if at is not None else "never"


def _told(member: Member) -> str:
    return f"{member.id}  {member.name}, {member.role}{f', {member.email}' if member.email else ''}"
