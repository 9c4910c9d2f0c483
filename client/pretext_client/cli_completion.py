"""`pretext completion`: scripts that let a shell complete commands, options, ids and names."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # offered, but not listed


class Shell(StrEnum):
    """Shells that can be taught."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell.")]) -> None:
    """Write what lets a shell complete commands, ids and names; `--install-completion` puts it into its start-up files.

    For this shell alone: eval "$(pretext completion bash)"
    """
    typer.echo(get_completion_script(prog_name="pretext", complete_var="_PRETEXT_COMPLETE", shell=shell.value))
