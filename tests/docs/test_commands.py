"""Every command that a page shows exists, with the options that it is shown with."""

import pytest
import typer

from docs.generators.commands import PROGRAMS, commands, pages
from tests.docs.blocks import mentioned, shown, words

SHOWN = [(program, page, line) for program in PROGRAMS for page, line in shown(program)]
MENTIONED = [(program, page, line) for program in PROGRAMS for page, line in mentioned(program)]


def parsed(program: str, line: str) -> str:
    """Parse a command as the program would, without running it; its name."""
    command, rest, name = typer.main.get_command(PROGRAMS[program]), words(line.split(" > ", maxsplit=1)[0])[1:], program
    while hasattr(command, "commands") and rest:
        if rest[0].startswith("--"):
            option = next((one for one in command.params if rest[0] in one.opts), None)
            assert option is not None, f"{name} has no option {rest[0]}"
            rest = rest[1:] if option.is_flag else rest[2:]
            continue
        if rest[0] not in command.commands:
            break
        name, command, rest = f"{name} {rest[0]}", command.commands[rest[0]], rest[1:]
    assert not rest or not hasattr(command, "commands") or rest[0].startswith("--"), f"{name} has no command {rest[0]}"
    command.make_context(name, rest)
    return name


def complaint(program: str, line: str) -> str:
    """What is wrong with a command, by the name of the error."""
    try:
        parsed(program, line)
    except Exception as error:  # noqa: BLE001  where typer's classes are to be found changes from version to version
        return type(error).__name__
    return ""


class TestShownCommands:
    def test_are_found(self):
        assert len(SHOWN) > 60
        assert len(MENTIONED) > 20

    @pytest.mark.parametrize(("program", "page", "line"), SHOWN)
    def test_exist_with_their_options(self, program, page, line):
        parsed(program, line)

    @pytest.mark.parametrize(("program", "page", "line"), MENTIONED)
    def test_exist_where_they_are_mentioned(self, program, page, line):
        assert complaint(program, line) in {"", "MissingParameter", "Exit"}, page

    @pytest.mark.parametrize("line", ["pretext trian x", "pretext train x --tasks y", "pretext keys make", "pretext download"])
    def test_would_be_noticed_if_they_did_not(self, line):
        with pytest.raises(Exception, match=r"no command|[Nn]o such option|unexpected|[Mm]issing"):
            parsed("pretext", line)


class TestReference:
    def test_has_every_command_with_every_option(self):
        made = "\n".join(pages().values())
        for program, app in PROGRAMS.items():
            for name, command in commands(program, typer.main.get_command(app)):
                assert f"`{name}`" in made
                for one in command.params:
                    if one.param_type_name == "option" and one.name != "help" and not one.hidden:
                        assert f"`{one.opts[0]}`" in made, f"{name} {one.opts[0]}"

    def test_tells_the_training_by_itself(self):
        assert "--checkpoint-seconds" in pages()["reference/commands/ssl_core.md"]
