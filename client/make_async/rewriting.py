"""Writes the half for `await`."""

import ast
import re

from kinds import RESPONSE, Function, Half, Source, Types, opens, top_level, yields

MAGIC = {"__enter__": "__aenter__", "__exit__": "__aexit__"}
DRAINS = {
    "list": ("[one async for one in ", "]", len("list(")),
    "tuple": ("tuple([one async for one in ", "])", len("tuple(")),
    "next": ("await anext", "", len("next")),
}
"""What takes things from an iterator: what stands in its place and at its end, and how many bytes it replaces."""


class Writer:
    """Writes modules.

    Args:
        half: what is known of their functions.
    """

    def __init__(self, half: Half) -> None:
        self._half = half

    def text(self, source: Source) -> str:
        """A module for `await`."""
        parts = [f'"""The same as `{source.name}.py` for `await`. Made by client/make_async: change that file, and run it."""']
        parts += [self._imports(source)]
        for name, one in source.definitions().items():
            if self._half.is_made(source, name):
                parts.append(self._rewritten(source, one))
        return "\n\n\n".join(parts) + "\n"

    def _imports(self, source: Source) -> str:
        lines = ["from collections.abc import AsyncIterator", "from contextlib import asynccontextmanager"]
        kept = [name for name in top_level(source) if not self._half.is_made(source, name)]
        if kept:
            lines.append(f"from pretext_client.{source.name} import {', '.join(kept)}")
        for one in source.tree.body:
            if isinstance(one, ast.Import | ast.ImportFrom):
                lines.append(self._import(one))
            elif isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING":
                inner = "\n".join(self._import(line) for line in one.body if isinstance(line, ast.ImportFrom))
                lines.append("if TYPE_CHECKING:\n" + "\n".join(f"    {line}" for line in inner.splitlines()))
        return "\n".join(lines)

    def _import(self, one: ast.Import | ast.ImportFrom) -> str:
        if isinstance(one, ast.Import) or not (one.module or "").startswith("pretext_client"):
            return ast.unparse(one)
        module = (one.module or "").removeprefix("pretext_client").removeprefix(".")
        here, there = [], []
        for alias in one.names:
            if not module:
                (there if alias.name in self._half.sources else here).append(alias.name)
            elif module == "http" and alias.name == "Http":
                return "\n".join(
                    ["from pretext_client.async_http import AsyncHttp"]
                    + [f"from pretext_client.http import {other.name}" for other in one.names if other.name != "Http"]
                )
            elif module in self._half.sources and self._half.is_made(self._half.sources[module], alias.name):
                there.append(self._half.renamed(self._half.sources[module], alias.name))
            else:
                here.append(alias.name if alias.asname is None else f"{alias.name} as {alias.asname}")
        dotted = f".{module}" if module else ""
        lines = [f"from pretext_client{dotted} import {', '.join(here)}"] if here else []
        return "\n".join([*lines, f"from pretext_client.aio{dotted} import {', '.join(there)}"] if there else lines)

    def _rewritten(self, source: Source, one: ast.ClassDef | Function) -> str:
        edits = Edits(source.text)
        functions = [(one, None)] if isinstance(one, Function) else [(x, one.name) for x in one.body if isinstance(x, Function)]
        if isinstance(one, ast.ClassDef) and one.name in self._half.homes:
            edits.put(one.lineno, one.col_offset + len("class "), "Async")
        for function, owner in functions:
            self.rewrite(source, function, owner, edits)
        self._names(source, one, edits)
        for holder in [one, *(function for function, _ in functions)]:
            self._example(source, holder, edits)
        return edits.result(one)

    def rewrite(self, source: Source, function: Function, owner: str | None, edits: "Edits") -> None:
        """Change a function's text."""
        kind = self._half.kinds.get((owner or source.name, function.name), "plain")
        types = self._half.local(source, function, owner)
        generator = kind in {"iterates", "enters"} and yields(function)
        if kind == "waits" or generator or function.name in MAGIC:
            edits.put(function.lineno, function.col_offset, "async ")
        if function.name in MAGIC:
            edits.put(function.lineno, function.col_offset + len("def "), MAGIC[function.name], len(function.name))
        if kind == "iterates" and function.returns is not None:
            start = function.returns
            edits.put(start.lineno, start.col_offset, "Async")
        if kind == "enters" and opens(function):
            self._context(function, edits)
        if kind != "plain":
            for statement in function.body:
                self.waiting(source, statement, types, edits)

    def _context(self, function: Function, edits: "Edits") -> None:
        """Make a context manager one for `async with`."""
        for one in function.decorator_list:
            if isinstance(one, ast.Name) and one.id == "contextmanager":
                edits.put(one.lineno, one.col_offset, "async")
        for each in ast.walk(function.returns) if function.returns is not None else ():
            if isinstance(each, ast.Name) and each.id == "Iterator":
                edits.put(each.lineno, each.col_offset, "Async")

    def waiting(self, source: Source, node: ast.AST, types: Types, edits: "Edits", parent: ast.AST | None = None) -> None:
        """Put `await` and `async` before what waits."""
        half = self._half
        if isinstance(node, ast.For | ast.comprehension) and half.kind_of(source, node.iter, types) == "iterates":
            edits.put(node.target.lineno, node.target.col_offset - len("for "), "async ")
        elif isinstance(node, ast.With):
            opened = [item.context_expr for item in node.items]
            if any(half.kind_of(source, one, types) == "enters" or half.type_of(source, one, types) for one in opened):
                edits.put(node.lineno, node.col_offset, "async ")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.YieldFrom):
            word = "async for" if half.kind_of(source, node.value.value, types) == "iterates" else "for"
            edits.put(node.lineno, node.col_offset, f"{word} one in ", len("yield from "))
            edits.after(node, f":\n{' ' * (node.col_offset + 4)}yield one")
        elif isinstance(node, ast.Call):
            self._call(source, node, types, edits, parent)
        for child in ast.iter_child_nodes(node):
            self.waiting(source, child, types, edits, node)

    def _call(self, source: Source, node: ast.Call, types: Types, edits: "Edits", parent: ast.AST | None) -> None:
        function, kind = node.func, self._half.kind_of(source, node, types)
        first = node.args[0] if node.args else node
        drains = isinstance(function, ast.Name) and function.id in DRAINS and self._half.kind_of(source, first, types) == "iterates"
        if drains and isinstance(function, ast.Name):
            opened, closed, replaced = DRAINS[function.id]
            edits.put(node.lineno, node.col_offset, opened, replaced)
            if closed:
                edits.after(node, closed, replaced=1)
        elif kind == "waits":
            wrapped = isinstance(parent, ast.Attribute | ast.Subscript)
            edits.put(node.lineno, node.col_offset, "(await " if wrapped else "await ")
            if wrapped:
                edits.after(node, ")")
        if isinstance(function, ast.Attribute) and function.attr in RESPONSE:
            if self._half.type_of(source, function.value, types) != "Response":
                return
            edits.put(function.end_lineno or 0, (function.end_col_offset or 0) - len(function.attr), "a")

    def _names(self, source: Source, one: ast.AST, edits: "Edits") -> None:
        """Call classes by their names here."""
        for node in ast.walk(one):
            if isinstance(node, ast.Name) and self._half.renamed(source, node.id) != node.id:
                edits.put(node.lineno, node.col_offset, "Async")
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module, whole = source.imported.get(node.value.id, ("", " "))
                if (
                    not whole
                    and module in self._half.sources
                    and self._half.renamed(self._half.sources[module], node.attr) != node.attr
                ):
                    edits.put(node.end_lineno or 0, (node.end_col_offset or 0) - len(node.attr), "Async")
            elif isinstance(node, ast.arg | Function):
                annotation = node.annotation if isinstance(node, ast.arg) else node.returns
                if not isinstance(annotation, ast.Constant) or not isinstance(annotation.value, str):
                    continue
                if self._half.renamed(source, annotation.value) != annotation.value:
                    edits.put(annotation.lineno, annotation.col_offset + 1, "Async")

    def _example(self, source: Source, holder: ast.ClassDef | Function, edits: "Edits") -> None:
        """Change the examples in a docstring."""
        first = holder.body[0]
        if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)):
            return
        lines = source.text.splitlines()
        numbers = [n for n in range(first.lineno, (first.end_lineno or 0) + 1) if re.match(r"\s*(>>>|\.\.\.)", lines[n - 1])]
        if not numbers:
            return
        marks = [re.match(r"\s*(?:>>>|\.\.\.) ?", lines[n - 1]) for n in numbers]
        code = [lines[n - 1][mark.end() :] for n, mark in zip(numbers, marks, strict=True) if mark]
        changed = self.example("\n".join(code)).splitlines()
        for n, mark, old, new in zip(numbers, marks, code, changed, strict=True):
            if mark and old != new:
                edits.put(n, mark.end(), new, len(old.encode()))

    def example(self, code: str) -> str:
        """Code that uses the client, for `await`."""
        source = Source("example", code, ast.parse(code), {"Pretext": ("client", "Pretext")})
        function = ast.parse("def example():\n    pass").body[0]
        assert isinstance(function, Function)
        function.body = source.tree.body
        types = {"pretext": "Pretext", "dataset": "Dataset", "job": "Job", "model": "Model", "evaluation": "Evaluation"}
        types = self._half.local(source, function, None, types)
        edits = Edits(code)
        for statement in function.body:
            self.waiting(source, statement, types, edits)
        self._names(source, source.tree, edits)
        return edits.result()


class Edits:
    """Changes of a text by line and column (in bytes, as `ast` counts them)."""

    def __init__(self, text: str) -> None:
        self._lines = [line.encode() for line in text.splitlines(keepends=True)]
        self._edits: dict[tuple[int, int, int], tuple[int, str]] = {}

    def put(self, line: int, column: int, text: str, replaced: int = 0) -> None:
        """Put a text somewhere, in place of so many bytes. Of the same place, later ones come behind earlier ones."""
        number = sum(1 for at in self._edits if at[:2] == (line, column))
        if not any(at[:2] == (line, column) and edit == (replaced, text) for at, edit in self._edits.items()):
            self._edits[line, column, number] = (replaced, text)

    def after(self, node: ast.expr | ast.stmt, text: str, replaced: int = 0) -> None:
        """Put a text behind a node, in place of so many of its last bytes."""
        self.put(node.end_lineno or 0, (node.end_col_offset or 0) - replaced, text, replaced)

    def result(self, one: ast.ClassDef | Function | None = None) -> str:
        """The text of a definition, or all of it."""
        lines = list(self._lines)
        for (line, column, _), (replaced, text) in sorted(self._edits.items(), reverse=True):
            old = lines[line - 1]
            lines[line - 1] = old[:column] + text.encode() + old[column + replaced :]
        first = 1 if one is None else min([one.lineno, *(each.lineno for each in one.decorator_list)])
        return b"".join(lines[first - 1 : None if one is None else one.end_lineno]).decode().rstrip("\n")
