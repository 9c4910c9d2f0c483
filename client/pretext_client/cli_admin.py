"""`pretext projects`, `workers`, `audit` and `usage`: administration."""

from itertools import islice
from typing import Annotated, Literal

import typer

from pretext_client import completing
from pretext_client.cli_parts import Limit, group, listing
from pretext_client.cli_times import moment_of
from pretext_client.session import session
from pretext_client.shown import bytes_, duration, moment
from pretext_client.types import Project

projects = group("Tenants with quotas: list, show, create, update, delete, usage.")
workers = group("What carries out jobs.")
audit = group("Who did what.")


_UNBOUND = "unbound"
OwnProject = Annotated[str | None, typer.Argument(help="Id of the project. Default: your own.", autocompletion=completing.projects)]


@listing(projects)
def list_projects(context: typer.Context, limit: Limit = 100) -> None:
    """List the projects."""
    with session(context) as run:
        found = list(islice(run.client.projects.list(), limit))
        rows = [(one.id, one.name, *_quotas(one), moment(one.created_at)) for one in found]
        run.output.table(("id", "name", "bytes", "running jobs", "GPU time", "created"), found, rows)


@projects.command("show")
def show_project(context: typer.Context, project: OwnProject = None) -> None:
    """Say what a project is called, and how much it may."""
    with session(context) as run:
        found = run.client.projects.get(project) if project else run.client.projects.current()
        bounds = zip(("bytes", "running jobs", "GPU time in 30 days"), _quotas(found), strict=True)
        run.output.value(found, "\n".join([f"{found.id}  {found.name}", *(f"  {what}: {bound}" for what, bound in bounds)]))


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
    project: OwnProject = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days back.")] = 30,
) -> None:
    """See what a project stores and how long its jobs ran."""
    with session(context) as run:
        whose = run.client.projects.get(project) if project else run.client.projects.current()
        found = run.client.projects.usage(whose.id, days=days)
        most_bytes, most_running, most_gpu = (f" of {most}" if most != _UNBOUND else "" for most in _quotas(whose))
        lines = [f"{bytes_(size):>10}  {name}{most_bytes if name == 'total' else ''}" for name, size in found.stored.items()]
        lines += ["", f"{found.running}{most_running} jobs run now; {duration(found.gpu_seconds)}{most_gpu} of GPU time in 30 days"]
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
                ", ".join(f"{lane}: {slots}" for lane, slots in one.slots.items()),
                "alive" if one.alive else "lost",
                ", ".join(one.running),
                moment(one.seen_at),
            )
            for one in found
        ]
        run.output.table(("id", "host", "device", "memory", "slots", "state", "running", "last seen"), found, rows)


@listing(audit)
def list_audit(
    context: typer.Context,
    limit: Limit = 100,
    action: Annotated[str | None, typer.Option(help="Only this operation, such as create_job.")] = None,
    key: Annotated[str | None, typer.Option(help="Only by the key of this id.", autocompletion=completing.keys)] = None,
    outcome: Annotated[Literal["done", "denied"] | None, typer.Option(help="Only what was done, or refused.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only after this day or time.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only to the end of this day, or before this time.")] = None,
) -> None:
    """See who did what. Times are those of this machine, unless they name a zone."""
    after = moment_of(since, "--since") if since else None
    before = moment_of(until, "--until", end=True) if until else None
    with session(context) as run:
        found = list(run.client.audit(action=action, key_id=key, outcome=outcome, since=after, until=before, limit=limit))
        rows = [
            (f"{one.at.astimezone():%Y-%m-%d %H:%M:%S}", one.key_id, one.action, one.outcome, " ".join(one.subjects), one.address)
            for one in found
        ]
        run.output.table(("when", "key", "action", "outcome", "of", "from"), found, rows)


def _quotas(project: Project) -> list[str]:
    return [
        _UNBOUND if most is None else shown(most)
        for most, shown in ((project.most_bytes, bytes_), (project.most_running, str), (project.most_gpu_seconds, duration))
    ]
