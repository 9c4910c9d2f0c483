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
_EXAMPLES = {"dataset_id": "ds_…", "upload_id": "up_…", "embedding_id": "emb_…", "evaluation_id": "eval_…", "project_id": "proj_…"}
_SERVER = "http://127.0.0.1:8000"
_CURL = re.compile(r"`curl ([^`]+)`\s*")


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
  `KEY=$(cat ~/.local/share/pretext-server/api-key)` and `API=http://127.0.0.1:8000/v1`.
- Lists are pages: `{"object": "list", "data": […], "has_more": true}`. The next one is asked for with `?after=` and the last id.
- Errors are `application/problem+json` (RFC 9457); programs look at `code`.
  [What each means, and what to do](../../operations/troubleshooting.md).
- `Idempotency-Key` on a call that makes something: sent twice, it is carried out once.
- `429` and `503` say in `Retry-After` how many seconds to wait.

"""


def _call(method: str, path: str, call: Mapping[str, Any], schemas: Schemas) -> str:
    text = str(call.get("description", ""))
    told = _CURL.search(text)
    parts = [
        f"## {call['summary']} {{ #{call['operationId']} }}",
        f"`{method.upper()} {path}`{{ .call }}",
        _CURL.sub("", text).strip(),
        _parameters(call, schemas),
        *_bodies(call, schemas),
        *_answers(call, schemas),
        f"```bash\n{_written(told[1]) if told else _curl(method, path, call, schemas)}\n```",
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


def _written(command: str) -> str:
    """A docstring's curl command, broken into lines as a shell takes them."""
    lines = [line.strip() for line in command.splitlines()]
    return "curl " + " \\\n     ".join(lines).replace(f"{_SERVER}/v1", "$API")


def _curl(method: str, path: str, call: Mapping[str, Any], schemas: Schemas) -> str:
    words = ["curl", '-H "Authorization: Bearer $KEY"'] if call.get("security") else ["curl"]
    content = call.get("requestBody", {}).get("content", {})
    if method not in {"get", "post"} or (method == "post" and not content):
        words.append(f"-X {method.upper()}")
    needed = [one for one in call.get("parameters", ()) if one["in"] == "header" and one.get("required")]
    words += [f'-H "{one["name"].title()}: {one.get("schema", {}).get("const", "…")}"' for one in needed]
    if "multipart/form-data" in content:
        schema = schemas.branches(content["multipart/form-data"]["schema"])[0]
        words += [f"-F {name}={_part(name, schema)}" for name in schema.get("required", ())]
    elif "application/json" in content:
        schema = schemas.branches(content["application/json"]["schema"])[0]
        words += ['-H "Content-Type: application/json"', f"-d '{json.dumps(_example(schema, schemas), ensure_ascii=False)}'"]
    elif content:
        words += [f'-H "Content-Type: {next(iter(content))}"', "--data-binary @FILE"]
    address = _filled(path)
    words.append(f"$API{address.removeprefix('/v1')}" if address.startswith("/v1/") else f"{_SERVER}{address}")
    return " \\\n     ".join(words) if len(words) > 4 else " ".join(words)


def _filled(path: str) -> str:
    """A path with ids of the right look in it."""
    return re.sub(r"{(\w+)}", lambda found: _EXAMPLES.get(found[1], f"{found[1].removesuffix('_id')}_…"), path).replace(
        "/name_…", "/NAME"
    )


def _part(name: str, schema: Schema) -> str:
    about = schema["properties"][name]
    if name == "file" or about.get("format") == "binary" or about.get("type") == "array":
        return "@FILE"
    return str((about.get("examples") or ["…"])[0])


def _example(schema: Schema, schemas: Schemas) -> dict[str, Any]:
    """The fields that a body needs, with a value for each; the first field of one that needs none."""
    properties = schema.get("properties", {})
    needed = [name for name in properties if name in schema.get("required", ())] or list(properties)[:1]
    return {name: _value(name, properties[name], schemas) for name in needed}


def _value(name: str, schema: Schema, schemas: Schemas) -> Any:
    if schema.get("examples"):
        return schema["examples"][0]
    branch = schemas.branches(schema)[0]
    if "const" in branch:
        return branch["const"]
    if branch.get("enum"):
        return branch["enum"][0]
    if "properties" in branch:
        return _example(branch, schemas)
    of = {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}
    return of.get(branch.get("type", ""), _EXAMPLES.get(name, "…"))
