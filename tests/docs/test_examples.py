"""Calls of HTTP and lines of Python that pages show are of what there is."""

import ast
import re
from operator import attrgetter

import pytest
from pretext_client import Pretext

from docs.generators import openapi
from tests.docs.blocks import PAGES, ROOT, blocks, commands, words

PYTHON = blocks(PAGES, "python")
PATHS = openapi.document()["paths"]
MADE = [block for text in openapi.pages().values() for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)]
_METHOD = r"\b(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (/[\w/{}…-]*)"


def curls(text: str) -> list[str]:
    return [line for line in commands(text) if line.startswith("curl ")]


WRITTEN_CALLS = [line for block in blocks(PAGES, "", "bash") for line in curls(block.text)]
MADE_CALLS = [line for block in MADE for line in curls(block)]


def called(command: str) -> tuple[str, str]:
    """Method and path of a curl command."""
    given = words(command)
    method = given[given.index("-X") + 1] if "-X" in given else None
    sends = {"-d", "-F", "--data-binary"} & set(given)
    address = next(word for word in given if word.startswith(("$API", "${API%/v1}")))
    path = address.replace("${API%/v1}", "").replace("$API", "/v1").split("?")[0]
    return (method or ("POST" if sends else "GET")).lower(), path


def exists(method: str, path: str) -> bool:
    for known, calls in PATHS.items():
        pattern = re.sub(r"{\w+}", "[^/]+", known)
        if re.fullmatch(pattern, re.sub(r"{\w+}", "x", path)) and (method in calls or method == "head"):
            return True
    return False


class TestCalls:
    def test_are_shown_for_every_operation(self):
        assert len(WRITTEN_CALLS) > 8
        assert len(MADE_CALLS) == sum(method in openapi.METHODS for calls in PATHS.values() for method in calls)

    @pytest.mark.parametrize("line", [*WRITTEN_CALLS, *MADE_CALLS])
    def test_exist(self, line):
        assert exists(*called(line)), line

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
    def test_in_running_text_exist(self, page):
        for method, path in re.findall(_METHOD, page.read_text(encoding="utf-8")):
            full = path if path.startswith("/v1") or path in PATHS else f"/v1{path}"
            assert "…" in path or exists(method.lower(), full.rstrip("/")), f"{method} {path}"

    def test_that_do_not_exist_are_noticed(self):
        assert not exists("get", "/v1/trainings")
        assert not exists("delete", "/v1/tasks")


class TestPython:
    @pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"{block.page.name}: {block.text[:30]!r}")
    def test_compiles_and_uses_what_the_client_has(self, block):
        with Pretext("http://127.0.0.1:1", "key") as pretext:
            for node in ast.walk(ast.parse(block.text)):
                chain = ast.unparse(node).split(".") if isinstance(node, ast.Attribute) else []
                if chain[:1] == ["pretext"] and all(name.isidentifier() for name in chain):
                    attrgetter(".".join(chain[1:]))(pretext)

    def test_that_uses_what_there_is_not_is_noticed(self):
        with Pretext("http://127.0.0.1:1", "key") as pretext, pytest.raises(AttributeError):
            attrgetter("datasets.uplaod")(pretext)
