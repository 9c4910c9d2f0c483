"""The same as `catalogue.py` for `await`. Made by client/make_async: change that file, and run it."""

from collections.abc import AsyncIterator

from pretext_client.async_http import AsyncHttp
from pretext_client.catalogue import _filled
from pretext_client.http import Call
from pretext_client.types import Encoder, Json, Task


def tasks(http: AsyncHttp) -> AsyncIterator[Task]:
    """The pretext tasks."""
    return http.pages("/v1/tasks", {"limit": None}, Task, lambda task: task.name)


def encoders(http: AsyncHttp) -> AsyncIterator[Encoder]:
    """The networks."""
    return http.pages("/v1/encoders", {"limit": None}, Encoder, lambda encoder: encoder.name)


async def job_schema(http: AsyncHttp) -> Json:
    """JSON Schema of a pretraining's request, out of the server's OpenAPI document."""
    schemas = (await http.json(Call("GET", "/openapi.json")))["components"]["schemas"]
    return dict(_filled(schemas["PretrainRequest"], schemas))
