"""The catalogue: what the server can train."""

from collections.abc import Iterator
from typing import Any

from pretext_client.http import Call, Http
from pretext_client.types import Encoder, Json, Task


def tasks(http: Http) -> Iterator[Task]:
    """The pretext tasks."""
    return http.pages("/v1/tasks", {"limit": None}, Task, lambda task: task.name)


def encoders(http: Http) -> Iterator[Encoder]:
    """The networks."""
    return http.pages("/v1/encoders", {"limit": None}, Encoder, lambda encoder: encoder.name)


def job_schema(http: Http) -> Json:
    """JSON Schema of a pretraining's request, out of the server's OpenAPI document."""
    schemas = http.json(Call("GET", "/openapi.json"))["components"]["schemas"]
    return dict(_filled(schemas["PretrainRequest"], schemas))


def _filled(schema: Any, schemas: Json) -> Any:
    """A schema with what its `$ref`s stand for in their places; what is said beside a `$ref` goes before that."""
    if isinstance(schema, list):
        return [_filled(one, schemas) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _filled(value, schemas) for name, value in schema.items() if name != "$ref"}
    if isinstance(schema.get("$ref"), str):
        return {**_filled(schemas[schema["$ref"].rpartition("/")[2]], schemas), **found}
    return found
