"""The HTTP reference, a page for each resource, from the OpenAPI document of the application itself."""

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from api.app import create_app
from api.errors import phrase_of
from docs.generators.schema import Schema, Schemas, cell, table
from records.settings import Settings
from ssl_core.spec import TASKS

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
FOLDER = "reference/http"
_SAMPLE = re.compile(r"\n*```\n.*?\n```\s*$|`curl [^`]+`\s*", re.DOTALL)
"""Examples within a description, for viewers that do not know `x-codeSamples`. Those are shown here, as a test runs them."""


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    with tempfile.TemporaryDirectory() as folder:
        return create_app(Settings(data_dir=Path(folder))).openapi()


def pages() -> dict[str, str]:
    """Pages in Markdown by their path, the overview first."""
    about = document()
    schemas = Schemas(about["components"]["schemas"])
    resources: dict[str, list[str]] = defaultdict(list)
    rows = []
    for path, calls in about["paths"].items():
        for method in (one for one in METHODS if one in calls):
            call = calls[method]
            resource = call.get("tags", ["others"])[0]
            resources[resource].append(_call(method, path, call, schemas))
            linked = f"[{call['summary']}]({resource}.md#{call['operationId']})"
            rows.append([f"`{method.upper()} {path}`", linked])
    index = _OVERVIEW + table(["call", "what it does"], rows)
    made = {f"{FOLDER}/index.md": index}
    for resource, calls in resources.items():
        title = resource.replace("_", " ").capitalize()
        made[f"{FOLDER}/{resource}.md"] = f"# {title}\n\n" + "\n\n".join(calls) + "\n"
    return made


_OVERVIEW = """# HTTP API

Made from the OpenAPI document that the server itself has at `/openapi.json`; a running server shows it at `/docs`, where every
call can be tried out.

- Every call but those of health needs `Authorization: Bearer KEY`. The examples take the key and the address from the shell:
  `KEY=$(cat ~/.local/share/pretext-server/api-key)` and `API=http://127.0.0.1:8000/v1`; what is in capitals in an address, such as
  `$JOB_ID`, is yours to put in. Each of them is run against a real server by the tests.
- Lists are pages: `{"object": "list", "data": […], "has_more": true}`. The next one is asked for with `?after=` and the last id.
- Errors are `application/problem+json` (RFC 9457); programs look at `code`.
  [What each means, and what to do](../../operations/troubleshooting.md).
- `Idempotency-Key` on a call that makes something: sent twice, it is carried out once.
- `429` and `503` say in `Retry-After` how many seconds to wait.

"""


def _call(method: str, path: str, call: Mapping[str, Any], schemas: Schemas) -> str:
    (sample,) = call["x-codeSamples"]
    parts = [
        f"## {call['summary']} {{ #{call['operationId']} }}",
        f"`{method.upper()} {path}`{{ .call }}",
        _SAMPLE.sub("", str(call.get("description", ""))).strip(),
        _parameters(call, schemas),
        *_bodies(call, schemas),
        *_answers(call, schemas),
        f"```bash\n{sample['source']}\n```",
    ]
    return "\n\n".join(part for part in parts if part)


def _parameters(call: Mapping[str, Any], schemas: Schemas) -> str:
    rows = []
    for one in call.get("parameters", ()):
        schema = one.get("schema", {})
        default = f"`{json.dumps(schema['default'])}`" if schema.get("default") is not None else ""
        needed = "required" if one.get("required") else default
        text = one.get("description") or schema.get("description", "")
        name = one["name"].title() if one["in"] == "header" else one["name"]
        rows.append([f"`{name}`", one["in"], schemas.type_of(schema).replace(" or null", ""), needed, text])
    return table(["parameter", "in", "type", "default", "what it is"], rows) if rows else ""


def _bodies(call: Mapping[str, Any], schemas: Schemas) -> Iterator[str]:
    for media, about in call.get("requestBody", {}).get("content", {}).items():
        yield f"**Body**, `{media}`:"
        branches = schemas.branches(about.get("schema", {}))
        for branch in branches:
            fields = _fields(branch, schemas)
            words = _first(branch.get("description", "")) if len(branches) > 1 else ""
            if len(branches) > 1:
                kind = branch.get("properties", {}).get("kind", {})
                title = f"kind {kind['const']}" if "const" in kind else str(branch.get("title", "fields"))
                yield _folded(title, "\n\n".join(part for part in (words, fields) if part))
            elif fields:
                yield fields


def _answers(call: Mapping[str, Any], schemas: Schemas) -> Iterator[str]:
    answers = sorted(call["responses"].items())
    bad = [status for status, _ in answers if int(status) >= 400]
    for status, about in answers:
        if status in bad:
            continue
        media = [one for one in about.get("content", {}) if one != "application/problem+json"]
        said = about["description"] if about["description"] != "Successful Response" else HTTPStatus(int(status)).phrase
        yield f"**Answer {status}**: {said}" + (f", `{'` or `'.join(media)}`" if media else "")
        for one in media:
            fields = _fields(about["content"][one].get("schema", {}), schemas)
            if fields:
                yield _folded("Fields of the answer", fields)
    if bad:
        yield "**Errors**: " + ", ".join(f"{status} {phrase_of(int(status))}" for status in bad)


def _fields(schema: Schema, schemas: Schemas) -> str:
    rows = []
    for branch in schemas.branches(schema):
        for field in schemas.fields(branch):
            kind = field.type.replace(" or null", "")
            if field.name.split(".")[-1] == "task" and any(task.__name__ in kind for task in TASKS.values()):
                kind = "object: the [pretext tasks](../../tasks/index.md) with their settings"
            rows.append([f"`{field.name}`", kind, field.default or ("required" if field.required else ""), field.text])
    if all(not row[2] or row[2] == "required" for row in rows):
        return table(["field", "type", "what it is"], [[row[0], row[1], row[3]] for row in rows]) if rows else ""
    return table(["field", "type", "default", "what it is"], rows)


def _folded(title: str, body: str) -> str:
    indented = "\n".join(f"    {line}" if line else "" for line in body.splitlines())
    return f'??? note "{title}"\n\n{indented}'


def _first(text: str) -> str:
    return cell(text.split("\n\n", maxsplit=1)[0])
