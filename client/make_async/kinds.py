"""What of the client waits for the network."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).parent.parent / "pretext_client"
_IMPORTS_HTTP = re.compile(r"^from pretext_client\.http import .*\bHttp\b", re.MULTILINE)
TARGET = PACKAGE / "aio"
BY_HAND = {"http", "async_http"}
FIRST = {"bound", "client"}
"""Sources that do not import `Http` for their functions' sake."""
Kind = Literal["plain", "waits", "iterates", "enters"]
RESPONSE = {"iter_bytes": ("aiter_bytes", "iterates"), "iter_lines": ("aiter_lines", "iterates"), "read": ("aread", "waits")}
HTTP: dict[str, Kind] = dict.fromkeys(("json", "value", "headers", "close", "sleep", "work"), "waits")
HTTP |= {"pages": "iterates", "some": "iterates", "stream": "enters"}
ITERATOR = "Iterator"
"""What a context manager other than that of a response opens."""
Function = ast.FunctionDef
Types = dict[str, str]
"""Names of variables, and the classes of what is in them; `[Class]` for a list of these."""


@dataclass
class Source:
    """A module of the half for threads."""

    name: str
    text: str
    tree: ast.Module
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Local names, and the module and name there that they stand for; an empty name is the module itself."""

    def definitions(self) -> dict[str, ast.ClassDef | Function]:
        return {one.name: one for one in self.tree.body if isinstance(one, ast.ClassDef | Function)}


class Half:
    """Knows of every function what kind it is, and changes the text accordingly."""

    def __init__(self) -> None:
        self.sources = {source.name: source for source in read_sources()}
        self.kinds: dict[tuple[str, str], Kind] = {("Http", name): kind for name, kind in HTTP.items()}
        self.kinds |= {("Response", name): kind for name, (_, kind) in RESPONSE.items()}
        self.homes = {
            name: source.name
            for source in self.sources.values()
            for name, found in source.definitions().items()
            if isinstance(found, ast.ClassDef)
        }
        self.attributes: dict[str, Types] = {}
        self.attributes = {name: self._attributes(name) for name in self.homes}
        while self._learn():
            pass
        self.made = self._what_changes()

    def _attributes(self, name: str) -> Types:
        """The classes of what a class keeps in `self`."""
        source = self.sources[self.homes[name]]
        definition = source.definitions()[name]
        assert isinstance(definition, ast.ClassDef)
        found: Types = {}
        for method in definition.body:
            if isinstance(method, Function) and method.name == "__init__":
                types = self.parameters(method, None)
                for statement in ast.walk(method):
                    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Attribute):
                        of = self.type_of(source, statement.value, types)
                        if of:
                            found[statement.targets[0].attr] = of
        return found

    def parameters(self, function: Function, owner: str | None) -> Types:
        """What a function's parameters are declared as."""
        types: Types = {"self": owner} if owner else {}
        for one in [*function.args.args, *function.args.kwonlyargs]:
            named = self._annotated(one.annotation)
            if named:
                types[one.arg] = named
        return types

    def _annotated(self, annotation: ast.expr | None) -> str | None:
        if annotation is None:
            return None
        text = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
        return text if isinstance(text, str) and (text == "Http" or text in self.homes) else None

    def local(self, source: Source, function: Function, owner: str | None, known: Types | None = None) -> Types:
        """What a function's variables are, and those around it that are known."""
        types = {**(known or {}), **self.parameters(function, owner)}
        for one in ast.walk(function):
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                of = self.type_of(source, one.value, types)
                if of:
                    types[one.targets[0].id] = of
            elif isinstance(one, ast.For | ast.comprehension) and isinstance(one.target, ast.Name):
                of = self.type_of(source, one.iter, types)
                if of and of.startswith("["):
                    types[one.target.id] = of[1:-1]
            elif isinstance(one, ast.withitem) and isinstance(one.optional_vars, ast.Name):
                called = isinstance(one.context_expr, ast.Call) and self.called(source, one.context_expr.func, types)
                if called and self.kinds.get(called) == "enters":
                    types[one.optional_vars.id] = "Response" if called[0] == "Http" else ITERATOR
                elif of := self.type_of(source, one.context_expr, types):
                    types[one.optional_vars.id] = of
        return types

    def type_of(self, source: Source, value: ast.expr, types: Types) -> str | None:
        """The class of a value, if it is one that matters."""
        if isinstance(value, ast.Name):
            return types.get(value.id)
        if isinstance(value, ast.Attribute):
            return self.attributes.get(self.type_of(source, value.value, types) or "", {}).get(value.attr)
        if isinstance(value, ast.ListComp):
            of = self.type_of(source, value.elt, types)
            return f"[{of}]" if of else None
        if isinstance(value, ast.Call):
            called = self.called(source, value.func, types)
            if called is None:
                return None
            owner, name = called
            if owner == "Http" or name in self.homes or name == "Http":
                return name if name in self.homes or name == "Http" else None
            function = self._function(owner, name)
            return self._annotated(function.returns) if function is not None else None
        return None

    def called(self, source: Source, function: ast.expr, types: Types) -> tuple[str, str] | None:
        """What is called: the class or the module that it is in, and its name."""
        if isinstance(function, ast.Name):
            module, name = source.imported.get(function.id, (source.name, function.id))
            return (module, name) if module in self.sources or name == "Http" else None
        if not isinstance(function, ast.Attribute):
            return None
        if isinstance(function.value, ast.Name) and function.value.id in source.imported:
            module, name = source.imported[function.value.id]
            return (module, function.attr) if not name and module in self.sources else None
        of = self.type_of(source, function.value, types)
        return (of, function.attr) if of else None

    def _function(self, owner: str, name: str) -> Function | None:
        if owner in self.sources:
            found = self.sources[owner].definitions().get(name)
        else:
            home = self.homes.get(owner)
            definition = self.sources[home].definitions()[owner] if home else None
            body = definition.body if isinstance(definition, ast.ClassDef) else []
            found = next((one for one in body if isinstance(one, Function) and one.name == name), None)
        return found if isinstance(found, Function) else None

    def kind_of(self, source: Source, value: ast.expr, types: Types) -> Kind:
        """What it takes to call something."""
        if isinstance(value, ast.Name) and types.get(value.id) == ITERATOR:
            return "iterates"
        if not isinstance(value, ast.Call):
            return "plain"
        called = self.called(source, value.func, types)
        return self.kinds.get(called, "plain") if called else "plain"

    def functions(self, source: Source) -> list[tuple[Function, str | None]]:
        """Every function, and the class that it is a method of."""
        found: list[tuple[Function, str | None]] = []
        for name, one in source.definitions().items():
            if isinstance(one, Function):
                found.append((one, None))
            else:
                found += [(method, name) for method in one.body if isinstance(method, Function)]
        return found

    def _learn(self) -> bool:
        """Find out more of what waits; whether there was more."""
        before = len(self.kinds)
        for source in self.sources.values():
            for function, owner in self.functions(source):
                kind = self._kind(source, function, owner)
                if kind != "plain":
                    self.kinds[owner or source.name, function.name] = kind
        return len(self.kinds) > before

    def _kind(self, source: Source, function: Function, owner: str | None) -> Kind:
        types = self.local(source, function, owner)
        calls = [one for one in ast.walk(function) if isinstance(one, ast.Call)]
        kinds = {self.kind_of(source, call, types) for call in calls} - {"plain"}
        if not kinds:
            return "plain"
        if opens(function):
            return "enters"
        if yields(function) or (kinds == {"iterates"} and _returns_iterator(function)):
            return "iterates"
        return "waits"

    def _what_changes(self) -> set[str]:
        """Classes and functions that there are two of."""
        made = {"Http"}
        while True:
            more = {
                name
                for source in self.sources.values()
                for name, one in source.definitions().items()
                if self._changes(source, name, one, made)
            }
            if more <= made:
                return made
            made |= more

    def _changes(self, source: Source, name: str, one: ast.ClassDef | Function, made: set[str]) -> bool:
        if isinstance(one, Function):
            return (source.name, name) in self.kinds or bool(made & declared(one))
        methods = [method for method in one.body if isinstance(method, Function)]
        return any((name, method.name) in self.kinds or made & (declared(method) - {name}) for method in methods)

    def is_made(self, source: Source, name: str) -> bool:
        """Whether there are two of something that a module defines."""
        found = source.definitions().get(name)
        return found is not None and self._changes(source, name, found, self.made)

    def renamed(self, source: Source, local: str) -> str:
        """What a class of this name in a module is called in the half for `await`."""
        module, name = source.imported.get(local, (source.name, local))
        here = name == "Http" or (self.homes.get(name) == module and name in self.made)
        return f"Async{name}" if here else local


def read_sources() -> list[Source]:
    """The modules of the half for threads that have to do with the network."""
    found = []
    for path in sorted(PACKAGE.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path.stem in BY_HAND or not (
            path.stem in FIRST or re.search(r"^from pretext_client\.http import .*\bHttp\b", text, re.MULTILINE)
        ):
            continue
        source = Source(path.stem, text, ast.parse(text))
        for one in ast.walk(source.tree):
            if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("pretext_client"):
                module = (one.module or "").removeprefix("pretext_client").removeprefix(".")
                for alias in one.names:
                    source.imported[alias.asname or alias.name] = (module, alias.name) if module else (alias.name, "")
        found.append(source)
    return found


def top_level(source: Source) -> list[str]:
    """What a module defines."""
    names = list(source.definitions())
    for one in source.tree.body:
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        nodes = [node for target in targets for node in ast.walk(target)]
        names += [node.id for node in nodes if isinstance(node, ast.Name)]
    return names


def yields(function: Function) -> bool:
    """Whether it is a generator."""
    return any(isinstance(one, ast.Yield | ast.YieldFrom) for one in _own(function))


def opens(function: Function) -> bool:
    """Whether it is a context manager."""
    return any(isinstance(one, ast.Name) and one.id == "contextmanager" for one in function.decorator_list)


def _own(function: ast.AST) -> list[ast.AST]:
    """What is in a function, without functions in it."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, Function | ast.Lambda):
            found += [child, *_own(child)]
    return found


def _returns_iterator(function: Function) -> bool:
    return function.returns is not None and ast.unparse(function.returns).startswith("Iterator[")


def declared(function: Function) -> set[str]:
    """Names in a function's annotations."""
    arguments = function.args
    annotations = [one.annotation for one in [*arguments.args, *arguments.kwonlyargs]] + [function.returns]
    nodes = [node for one in annotations if one is not None for node in ast.walk(one)]
    found = {node.id for node in nodes if isinstance(node, ast.Name)}
    return found | {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
