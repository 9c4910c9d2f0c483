"""The reference of the commands, from the commands themselves: `pretext`, `pretext-server` and `python -m ssl_core`."""

import argparse
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from pretext_client.cli import app as client

from docs.generators.schema import table
from launcher.main import app as server
from ssl_core.__main__ import parser

FOLDER = "reference/commands"
_KINDS = {int: "INTEGER", float: "NUMBER", Path: "PATH"}
_WORDS = {"STR": "TEXT", "INT": "INTEGER", "FLOAT": "NUMBER"}
"""What a value's type is called, by what some versions of Typer call it."""
PROGRAMS = {"pretext": client, "pretext-server": server}


def pages() -> dict[str, str]:
    """Pages in Markdown by their path: one for each program, and for each group of commands of it."""
    made: dict[str, str] = {}
    for name, app in PROGRAMS.items():
        made |= _group(name, typer.main.get_command(app))
    made[f"{FOLDER}/ssl_core.md"] = _ssl_core()
    return made


def commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """All commands below one that are shown, by the words that call them; itself first."""
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from commands(f"{name} {word}", below)


def _group(name: str, group: Any) -> dict[str, str]:
    """The page of a group of commands, and of the groups in it."""
    made: dict[str, str] = {}
    parts, inner = [f"# `{name}`", _text(group.help), _parameters(group)], []
    shown = {word: below for word, below in group.commands.items() if not below.hidden}
    for word, below in shown.items():
        if hasattr(below, "commands"):
            made |= _group(f"{name} {word}", below)
            inner.append([f"[`{name} {word}`]({_file(f'{name} {word}')})", _text(below.help).splitlines()[0] if below.help else ""])
        else:
            parts.append(_command(f"{name} {word}", below))
    if inner:
        parts.append("## More commands\n\n" + table(["command", "what it is about"], inner))
    return {f"{FOLDER}/{_file(name)}": "\n\n".join(part for part in parts if part) + "\n", **made}


def _file(name: str) -> str:
    return name.replace(" ", "-") + ".md"


def _command(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    usage = " ".join([name, "[OPTIONS]" if len(arguments) < len(command.params) else "", *(_usage(one) for one in arguments)])
    parts = [f"## `{name}`", _text(command.help), f"```text\n{' '.join(usage.split())}\n```", _parameters(command)]
    return "\n\n".join(part for part in parts if part)


def _usage(argument: Any) -> str:
    shown = argument.name.upper() + ("…" if argument.nargs == -1 else "")
    return shown if argument.required else f"[{shown}]"


def _parameters(command: Any) -> str:
    rows = []
    for one in command.params:
        if one.name == "help" or getattr(one, "hidden", False):
            continue
        if one.param_type_name == "argument":
            rows.append([f"`{one.name.upper()}`", "required" if one.required else "", one.help or ""])
            continue
        names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
        value = "" if one.is_flag else " " + " or ".join(f"`{each}`" for each in _metavar(one).split("|"))
        rows.append([names + value, _default(one), _text(one.help)])
    return table(["option", "default", "what it is"], rows) if rows else ""


def _metavar(option: Any) -> str:
    return str(option.metavar or _kind(option)) + ("…" if option.multiple else "")


def _kind(option: Any) -> str:
    """What a value has to be, such as TEXT or `auto|cpu`. Typer says it in one of two ways, by its version."""
    if hasattr(option, "type_descriptor"):
        return _of_annotation(option.type_descriptor.annotation)
    choices = getattr(option.type, "choices", None)
    if choices:
        return "|".join(str(getattr(one, "value", one)) for one in choices)
    name = str(option.type.name).split()[0].upper()
    return _WORDS.get(name, name)


def _of_annotation(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(str(one.value) for one in annotation)
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    if get_origin(annotation) is not None:
        return _of_annotation(next(one for one in get_args(annotation) if one is not type(None)))
    return _KINDS.get(annotation, "TEXT")


def _default(option: Any) -> str:
    if option.required:
        return "required"
    default = getattr(option.default, "value", option.default)
    if option.is_flag and option.secondary_opts:
        return f"`{(option.opts if default else option.secondary_opts)[0]}`"
    return "" if default in (None, False, ()) or callable(default) or "UNSET" in repr(default) else f"`{default}`"


def _text(help_: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (help_ or "").replace("\f", "").split("\n\n"))


def _ssl_core() -> str:
    """The training by itself, whose command line is argparse's."""
    parts = ["# `python -m ssl_core`", "Ingest, pretrain, evaluate, embed or export alone, with no service around it."]
    subcommands = next(one for one in parser()._actions if isinstance(one, argparse._SubParsersAction))  # noqa: SLF001  there is no other way
    told = {one.dest: one.help or "" for one in subcommands._choices_actions}  # noqa: SLF001
    for name, command in subcommands.choices.items():
        if "(for a worker)" not in told[name]:
            usage = command.format_usage().removeprefix("usage: ")
            rows = [
                [f"`{', '.join(one.option_strings) or one.dest.upper()}`", one.help or ""]
                for one in command._actions  # noqa: SLF001
                if one.dest not in {"help", "events_fd", "supervisor"}
            ]
            text = f"{told[name][:1].upper()}{told[name][1:]}."
            parts.append(f"## `{name}`\n\n{text}\n\n```text\n{usage.strip()}\n```\n\n{table(['', 'what it is'], rows)}")
    return "\n\n".join(parts) + "\n"
