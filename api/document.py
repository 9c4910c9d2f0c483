"""The OpenAPI document: what the framework makes of the routes, and what it cannot know.

Errors are `application/problem+json` alone. A text that has one value is an enumeration where other types may be in its place: more
generators of clients understand that. And each call has an example for the shell.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from api.examples import example

_Json = dict[str, Any]
_PROBLEM = "application/problem+json"
_METHODS = ("get", "put", "post", "delete", "options", "patch")


def install(app: FastAPI) -> None:
    """Have an application describe itself so."""
    made = app.openapi

    def openapi() -> _Json:
        fresh = app.openapi_schema is None
        document = made()
        if fresh:
            _amend(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def calls(document: _Json) -> Iterator[tuple[str, str, _Json]]:
    """Path, method and description of each call."""
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def _amend(document: _Json) -> None:
    _enumerate(document)
    for path, method, call in calls(document):
        for answer in call["responses"].values():
            content = answer.get("content", {})
            if _PROBLEM in content and "application/json" in content:
                answer["content"] = {_PROBLEM: content["application/json"]}
        source = example(path, method, call)
        call["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": source}]
        call["description"] = f"{call.get('description', '').strip()}\n\n```\n{source}\n```"


def _enumerate(node: Any) -> None:
    """`{"const": "auto"}` among other types becomes `{"enum": ["auto"]}`."""
    if isinstance(node, list):
        for each in node:
            _enumerate(each)
        return
    if not isinstance(node, dict):
        return
    for member in node.get("anyOf", []):
        if "const" in member:
            member["enum"] = [member.pop("const")]
    for each in node.values():
        _enumerate(each)
