"""What the groups of commands have in common: how a list is asked for, what arguments are called, and where `--json` may stand."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from pretext_client import completing
from pretext_client.session import EXIT_STATUSES, Session

Limit = Annotated[int, typer.Option(min=1, help="How many to list at most, the newest first.")]
First = Annotated[int, typer.Option("--limit", min=1, help="How many to list at most, from the beginning.")]
DatasetRef = Annotated[str, typer.Argument(help="Id or name.", autocompletion=completing.datasets)]
JobId = Annotated[str, typer.Argument(help="Id of the job.", autocompletion=completing.jobs)]
ModelId = Annotated[str, typer.Argument(help="Id of the model.", autocompletion=completing.models)]
OfModel = Annotated[str | None, typer.Option("--model", help="Only those of this model.", autocompletion=completing.models)]
OfDataset = Annotated[str | None, typer.Option("--dataset", help="Only those of this dataset.", autocompletion=completing.datasets)]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as steps=300 or optimizer.learning_rate=0.05."),
]
Watch = Annotated[bool, typer.Option("--watch", help="Watch it to its end.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite other files of the same names.")]

DO = "From pictures to an encoder"
USE = "What an encoder is good for"
STEER = "Jobs and datasets"
NOUNS = "Everything, by noun (each lists when it is called alone)"
RUN = "Administration"
SELF = "This command"
_PANELS = (DO, USE, STEER, NOUNS, RUN, SELF, "Commands")
"""Sections of the help, in their order."""

_JSON = "--json"
_WHOLE = 500
"""Characters: more than any first sentence has."""
FunctionT = TypeVar("FunctionT", bound=Callable[..., None])


class Root(TyperGroup):
    """Takes `--json` wherever it stands, `pretext --json jobs` is `pretext jobs --json`, and helps in sections."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As of every group, with that option in front."""
        end = args.index("--") if "--" in args else len(args)
        if _JSON in args[:end]:
            args = [_JSON, *(one for number, one in enumerate(args) if one != _JSON or number > end)]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  as of every group
        """Sections of commands."""
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in _PANELS}
        for name, command in self.commands.items():
            if not command.hidden:
                panel = getattr(command, "rich_help_panel", None)
                about = command.get_short_help_str(_WHOLE)
                sections[panel if isinstance(panel, str) else "Commands"].append((name, about))
        widest = max(len(name) for name in self.commands)
        for title, rows in filter(lambda section: section[1], sections.items()):
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), about) for name, about in rows])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """What the exit statuses mean, each in a line of its own."""
        with formatter.section("Exit status"):
            formatter.write_dl([(str(status), about) for status, about in EXIT_STATUSES.items()])


def group(about: str) -> typer.Typer:
    """A group of commands about a noun."""
    return typer.Typer(help=about, invoke_without_command=True, no_args_is_help=False)


def listing(app: typer.Typer) -> Callable[[FunctionT], FunctionT]:
    """Make a function the command `list` of a group, and what the group does by itself."""

    def made(function: FunctionT) -> FunctionT:
        @wraps(function)
        def by_itself(context: typer.Context, **given: Any) -> None:
            if context.invoked_subcommand is None:
                function(context, **given)

        app.callback(help=app.info.help)(by_itself)
        app.command("list")(function)
        return function

    return made


def put(run: Session, paths: tuple[Path, ...]) -> None:
    """Say which files are there now."""
    if run.output.as_json:
        run.output.json([str(path) for path in paths])
    else:
        run.output.say("\n".join(map(str, paths)), wrapped=False)
