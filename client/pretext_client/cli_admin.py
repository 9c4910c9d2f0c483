"""`pretext keys`, `members`, `projects`, `workers`, `audit` and `usage`: administration."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from pretext_client import completing
from pretext_client.cli_parts import Limit, group, listing
from pretext_client.session import session
from pretext_client.shown import bytes_, duration, moment
from pretext_client.types import Project

keys = group("What programs and people prove themselves by: list, create, revoke.")
members = group("Who may work in the project: list, add, remove.")
projects = group("Tenants with quotas: list, create, update, delete, usage.")
workers = group("What carries out jobs.")
audit = group("Who did what.")


class Scope(StrEnum):
    """What a key is for; each may do what those before it may."""

    read = "read"
    write = "write"
    admin = "admin"


@listing(keys)
def list_keys(context: typer.Context, limit: Limit = 100) -> None:
    """List the keys."""
    with session(context) as run:
        found = list(islice(run.client.keys.list(), limit))
        rows = [
            (
                one.id,
                f"{one.prefix}…",
                one.name,
                "revoked" if one.revoked_at else one.scope,
                moment(one.expires_at) if one.expires_at else "never",
                moment(one.last_used_at) if one.last_used_at else "never",
            )
            for one in found
        ]
        run.output.table(("id", "begins", "name", "scope", "expires", "last used"), found, rows)


@keys.command("create")
def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[Scope, typer.Option(help="read: look and download; write: upload, train, delete; admin: make keys.")] = (
        Scope.write
    ),
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires. Default: never.")] = None,
    member: Annotated[str | None, typer.Option(help="Id of the member whose it is.")] = None,
    project: Annotated[str | None, typer.Option(help="Id of another project, for the server's administrators.")] = None,
) -> None:
    """Make a key. It is printed this once, and kept nowhere."""
    with session(context) as run:
        expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
        made = run.client.keys.create(name, scope=scope.value, member_id=member, expires_at=expires, project_id=project)
        run.output.note(f"{made.id} for {made.scope}; the key is shown this once:")
        run.output.value(made, str(made.key))


@keys.command("revoke")
def revoke_key(
    context: typer.Context, key: Annotated[str, typer.Argument(help="Id of the key.", autocompletion=completing.keys)]
) -> None:
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
        run.output.value(found, f"{found.id}  {found.name}, {found.role}")


@members.command("remove")
def remove_member(
    context: typer.Context, member: Annotated[str, typer.Argument(help="Id of the member.", autocompletion=completing.members)]
) -> None:
    """Let somebody go, and revoke their keys."""
    with session(context) as run:
        found = run.client.members.get(member)
        run.client.members.delete(found.id)
        run.output.value(found, f"{found.id}  removed; their keys are revoked")


@listing(projects)
def list_projects(context: typer.Context, limit: Limit = 100) -> None:
    """List the projects."""
    with session(context) as run:
        found = list(islice(run.client.projects.list(), limit))
        rows = [(one.id, one.name, *_quotas(one), moment(one.created_at)) for one in found]
        run.output.table(("id", "name", "bytes", "running jobs", "GPU time", "created"), found, rows)


MostBytes = Annotated[int | None, typer.Option(min=0, help="Bytes that it may store.")]
MostRunning = Annotated[int | None, typer.Option(min=0, help="Jobs that may run at a time; more wait.")]
MostGpu = Annotated[int | None, typer.Option(min=0, help="GPU seconds that its jobs may take in 30 days.")]


@projects.command("create")
def create_project(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is called.")],
    most_bytes: MostBytes = None,
    most_running: MostRunning = None,
    most_gpu_seconds: MostGpu = None,
) -> None:
    """Make a project. Its first key: `pretext keys create NAME --scope admin --project ID`."""
    with session(context) as run:
        quotas = {"most_bytes": most_bytes, "most_running": most_running, "most_gpu_seconds": most_gpu_seconds}
        found = run.client.projects.create(name, **quotas)
        run.output.value(found, f"{found.id}  {found.name}")


@projects.command("update")
def update_project(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="Id of the project.", autocompletion=completing.projects)],
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    most_bytes: MostBytes = None,
    most_running: MostRunning = None,
    most_gpu_seconds: MostGpu = None,
    unbound: Annotated[bool, typer.Option("--unbound", help="Lift the quotas that are not given.")] = False,
) -> None:
    """Change a project's name or quotas."""
    quotas = {"most_bytes": most_bytes, "most_running": most_running, "most_gpu_seconds": most_gpu_seconds}
    changes = {key: value for key, value in quotas.items() if value is not None or unbound}
    with session(context) as run:
        found = run.client.projects.update(project, **changes, **({} if name is None else {"name": name}))
        run.output.value(found, f"{found.id}  {found.name}")


@projects.command("usage")
def usage(
    context: typer.Context,
    project: Annotated[str | None, typer.Argument(help="Id of the project. Default: your own.")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days back.")] = 30,
) -> None:
    """See what a project stores and how long its jobs ran."""
    with session(context) as run:
        found = run.client.projects.usage(project or run.client.projects.current().id, days=days)
        lines = [f"{bytes_(size):>10}  {name}" for name, size in found.stored.items()]
        lines += ["", f"{found.running} jobs run now; {duration(found.gpu_seconds)} of GPU time in 30 days"]
        lines += [f"{day['day']}  {day['device']}  {duration(day['seconds'])}  {day['jobs']} attempts" for day in found.days]
        run.output.value(found, "\n".join(lines))


@projects.command("delete")
def delete_project(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="Id of the project.", autocompletion=completing.projects)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a project with everything in it. It cannot be undone."""
    with session(context) as run:
        found = run.client.projects.get(project)
        if not yes:
            typer.confirm(f"Delete {found.name} ({found.id}) with all its datasets, jobs and models?", abort=True, err=True)
        run.client.projects.delete(found.id)
        run.output.value(found, f"{found.id}  deleted")


@listing(workers)
def list_workers(context: typer.Context, limit: Limit = 100) -> None:
    """List the workers."""
    with session(context) as run:
        found = list(islice(run.client.workers(), limit))
        rows = [
            (
                one.id,
                one.host,
                one.device_name or one.device,
                bytes_(one.memory_bytes) if one.memory_bytes is not None else None,
                "alive" if one.alive else "lost",
                ", ".join(one.running),
                moment(one.seen_at),
            )
            for one in found
        ]
        run.output.table(("id", "host", "device", "memory", "state", "running", "last seen"), found, rows)


@listing(audit)
def list_audit(
    context: typer.Context,
    limit: Limit = 100,
    action: Annotated[str | None, typer.Option(help="Only this operation, such as create_job.")] = None,
    key: Annotated[str | None, typer.Option(help="Only by the key of this id.")] = None,
) -> None:
    """See who did what."""
    with session(context) as run:
        found = list(islice(run.client.audit(action=action, key_id=key), limit))
        rows = [
            (f"{one.at.astimezone():%Y-%m-%d %H:%M:%S}", one.key_id, one.action, one.outcome, " ".join(one.subjects), one.address)
            for one in found
        ]
        run.output.table(("when", "key", "action", "outcome", "of", "from"), found, rows)


def _quotas(project: Project) -> list[str]:
    return [
        "unbound" if most is None else shown(most)
        for most, shown in ((project.most_bytes, bytes_), (project.most_running, str), (project.most_gpu_seconds, duration))
    ]
