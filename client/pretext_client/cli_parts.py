"""What the groups of commands have in common: how a list is asked for, what arguments are called, and where `--json` may stand."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from pretext_client import completing
from pretext_client.session import Session

Limit = Annotated[int, typer.Option(min=1, help="How many to list at most, the newest first.")]
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

_JSON = "--json"
FunctionT = TypeVar("FunctionT", bound=Callable[..., None])


class Root(TyperGroup):
    """Takes `--json` wherever it stands: `pretext --json jobs` is `pretext jobs --json`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As of every group, with that option in front."""
        end = args.index("--") if "--" in args else len(args)
        if _JSON in args[:end]:
            args = [_JSON, *(one for number, one in enumerate(args) if one != _JSON or number > end)]
        return super().parse_args(ctx, args)


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
        run.output.say("\n".join(map(str, paths)))
