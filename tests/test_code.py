"""What the code of the service must not do, whoever writes it."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("api", "records", "worker", "ssl_core", "launcher", "dashboard", "client/pretext_client")
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
RUNS_CODE = {"eval", "exec", "__import__"}
LOADS_PICKLES = {
    ("torch", "load"),
    ("torch", "save"),
    ("np", "load"),
    ("numpy", "load"),
    ("pandas", "read_pickle"),
    ("yaml", "load"),
}
TRUSTS_NAMES = {"extractall", "unpack_archive"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def nodes() -> Iterator[tuple[str, ast.AST]]:
    for name, tree in trees():
        for node in ast.walk(tree):
            yield f"{name}:{getattr(node, 'lineno', 0)}", node


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def called(node: ast.AST) -> tuple[str, str]:
    """Name of what is called, with that in front of its dot."""
    if not isinstance(node, ast.Call):
        return "", ""
    function = node.func
    if isinstance(function, ast.Attribute):
        return (function.value.id if isinstance(function.value, ast.Name) else "…", function.attr)
    return "", function.id if isinstance(function, ast.Name) else ""


class TestCode:
    def test_all_of_it_is_looked_at(self):
        assert sum(1 for _ in trees()) > 300

    def test_reads_and_writes_no_pickle(self):
        found = [place for place, node in nodes() if {name.partition(".")[0] for name in imported(node)} & PICKLES]
        found += [place for place, node in nodes() if called(node) in LOADS_PICKLES]
        found += [place for place, node in nodes() for key in getattr(node, "keywords", []) if key.arg == "allow_pickle"]
        assert found == []

    def test_runs_no_text_as_code(self):
        found = [place for place, node in nodes() if called(node)[0] == "" and called(node)[1] in RUNS_CODE]
        found += [place for place, node in nodes() if called(node) in {("os", "system"), ("os", "popen")}]
        started = [(place, node) for place, node in nodes() if isinstance(node, ast.Call) and called(node)[0] == "subprocess"]
        found += [place for place, node in started for key in node.keywords if key.arg == "shell"]
        assert found == []

    def test_lets_no_archive_name_a_path(self):
        assert [place for place, node in nodes() if called(node)[1] in TRUSTS_NAMES] == []

    def test_compares_no_secret_letter_by_letter(self):
        """`==` ends at the first letter that differs, and so tells how many are right."""
        found = []
        for place, node in nodes():
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = {ast.unparse(side).rpartition(".")[2] for side in (node.left, *node.comparators)}
                if sides & {"api_key", "secret", "signature", "token", "password", "key_text"}:
                    found.append(f"{place}: {ast.unparse(node)}")
        assert found == []
