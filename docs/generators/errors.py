"""Every code of an error, as it stands in the code, with its status and with what to do."""

import ast
import importlib
import pkgutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import api
from api.errors import STATUS, phrase_of
from docs.generators.schema import table
from records.errors import RecordsError

ROOT = Path(__file__).parents[2]
_REMEDIES = tomllib.loads((ROOT / "docs" / "operations" / "remedies.toml").read_text(encoding="utf-8"))
REMEDIES: dict[str, str] = _REMEDIES["requests"]
"""What to do about each code of a problem, where the words of its class do not say it all."""
JOB_REMEDIES: dict[str, str] = _REMEDIES["jobs"]
"""What to do about each code that a job fails with."""
_JOB_PACKAGES = ("ssl_core", "worker", "records")


@dataclass(frozen=True)
class Code:
    """What a program sees of an error."""

    code: str
    status: int
    words: str
    """What the server says where it has no more to say; empty if it always has."""


def of_requests() -> list[Code]:
    """Codes of problems that HTTP answers, from the classes of errors and from `api/errors.py`."""
    for module in pkgutil.walk_packages(api.__path__, "api."):
        importlib.import_module(module.name)
    found = {code.code: code for code in _of_classes(RecordsError)}
    tree = ast.parse((ROOT / "api" / "errors.py").read_text(encoding="utf-8"))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "problem"):
        match call.args:
            case [_, ast.Constant(value=int(status)), ast.Constant(value=str(code)), ast.Constant(value=str(words)), *_]:
                found.setdefault(code, Code(code, status, words))
            case [_, ast.Constant(value=int(status)), ast.Constant(value=str(code)), *_]:
                found.setdefault(code, Code(code, status, ""))
            case _:
                pass
    return sorted(found.values(), key=lambda one: (one.status, one.code))


def of_jobs() -> list[str]:
    """Codes that jobs fail with, from where they are raised."""
    found = set()
    for package in _JOB_PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            found |= set(_raised(ast.parse(path.read_text(encoding="utf-8"))))
    return sorted(found)


def requests_table() -> str:
    """The table of what HTTP answers."""
    rows = [
        [
            f"`{one.code}`",
            f"{one.status} {phrase_of(one.status)}",
            REMEDIES.get(one.code) or one.words or "Its `detail` says what to do.",
        ]
        for one in of_requests()
    ]
    return table(["`code`", "status", "what to do"], rows)


def jobs_table() -> str:
    """The table of what jobs fail with."""
    rows = [
        [f"`{code}`", JOB_REMEDIES.get(code, "The error's `message` says what is wrong and what to change.")] for code in of_jobs()
    ]
    return table(["`error.code`", "what to do"], rows)


def _of_classes(class_: type[RecordsError]) -> Iterator[Code]:
    for below in class_.__subclasses__():
        status = next((STATUS[one] for one in below.__mro__ if one in STATUS), None)
        if "code" in vars(below) and status is not None:
            yield Code(below.code, status, " ".join((below.__doc__ or "").split("\n\n")[0].split()))
        yield from _of_classes(below)


def _raised(tree: ast.AST) -> Iterator[str]:
    """Codes that are given to a `UserError`, or written beside a `message`, or stand in for one that an error does not have."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(args=[ast.Constant(value=str(code)), *_]) if _name(node.func) == "UserError":
                yield code
            case ast.Dict(
                keys=[ast.Constant(value="code"), ast.Constant(value="message"), *_], values=[ast.Constant(value=str(code)), *_]
            ):
                yield code
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.IfExp(orelse=ast.Constant(value=str(code)))):
                yield code
            case _:
                pass


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
