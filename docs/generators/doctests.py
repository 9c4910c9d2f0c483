"""Has mkdocstrings show the examples of docstrings as code: without prompts, and without what is meant for doctest."""

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^>>> .*(?:\n(?:>>>|\.\.\.)(?: .*)?)*", re.MULTILINE)
_PROMPT = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)
_DIRECTIVE = re.compile(r" *# doctest: .*$", re.MULTILINE)


class ShownAsCode(griffe.Extension):
    """Puts a fence around each example."""

    def on_instance(self, *, obj: griffe.Object | griffe.Alias, **_: Any) -> None:
        """Change the docstring of whatever was read."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring: str) -> str:
    """A docstring with its examples in fences."""
    return _EXAMPLE.sub(lambda found: f"```python\n{_DIRECTIVE.sub('', _PROMPT.sub('', found[0]))}\n```", docstring)
