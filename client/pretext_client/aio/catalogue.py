"""The same as `catalogue.py` for `await`. Made by client/make_async: change that file, and run it."""

from collections.abc import AsyncIterator

from pretext_client.async_http import AsyncHttp
from pretext_client.types import Encoder, Task


def tasks(http: AsyncHttp) -> AsyncIterator[Task]:
    """The pretext tasks."""
    return http.pages("/v1/tasks", {"limit": None}, Task, lambda task: task.name)


def encoders(http: AsyncHttp) -> AsyncIterator[Encoder]:
    """The networks."""
    return http.pages("/v1/encoders", {"limit": None}, Encoder, lambda encoder: encoder.name)
