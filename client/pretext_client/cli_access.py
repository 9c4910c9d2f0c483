"""`pretext login`, `logout` and `whoami`: which server the commands go to, and by which key."""

import sys
from typing import Annotated

import typer

from pretext_client import places, profiles
from pretext_client.client import Pretext
from pretext_client.profiles import DEFAULT, Profile
from pretext_client.session import session

Name = Annotated[str, typer.Option("--profile", help="Name to store it under; `pretext --profile NAME …` goes there.")]


def login(
    context: typer.Context,
    url: Annotated[str | None, typer.Argument(help="The server. Default: the one that is used now.")] = None,
    profile: Name = DEFAULT,
) -> None:
    """Store a server and its key, which is asked for, or read from standard input: pretext login URL < key."""
    with session(context) as run:
        address = places.checked(url) if url is not None else run.client.url
        key = context.obj.api_key or _asked(address)
        with Pretext(address, key) as client:
            project = client.projects.current()
        path = profiles.write({**profiles.read(), profile: Profile(address, key)})
        run.output.value(project, f"{address}  logged in to {project.name} ({project.id})")
        run.output.note(f"The key is in {path}, which only you can read.")


def logout(context: typer.Context, profile: Name = DEFAULT) -> None:
    """Forget a server and its key. The key stays valid: `pretext keys revoke` ends that."""
    with session(context) as run:
        there = profiles.read()
        gone = there.pop(profile, None)
        profiles.write(there)
        if run.output.as_json:
            run.output.json({"profile": profile, "forgotten": gone is not None})
            return
        run.output.say(f"{gone.url}  forgotten" if gone else f"there is no profile {profile!r}; nothing was changed")


def whoami(context: typer.Context) -> None:
    """Say which server and project the commands go to."""
    with session(context) as run:
        project = run.client.projects.current()
        run.output.value(project, f"{run.client.url}  {project.name} ({project.id})")


def _asked(address: str) -> str:
    if sys.stdin.isatty():
        return str(
            typer.prompt(f"Key for {address} (`pretext keys create NAME` there makes one)", hide_input=True, err=True)
        ).strip()
    key = sys.stdin.readline().strip()
    if not key:
        raise typer.BadParameter("there is no key at standard input; pipe it in, or call this at a terminal")
    return key
