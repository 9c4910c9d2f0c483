"""The catalogue: what the server can train."""

from collections.abc import Iterator

from pretext_client.http import Http
from pretext_client.types import Encoder, Task


def tasks(http: Http) -> Iterator[Task]:
    """The pretext tasks."""
    return http.pages("/v1/tasks", {"limit": None}, Task, lambda task: task.name)


def encoders(http: Http) -> Iterator[Encoder]:
    """The networks."""
    return http.pages("/v1/encoders", {"limit": None}, Encoder, lambda encoder: encoder.name)
