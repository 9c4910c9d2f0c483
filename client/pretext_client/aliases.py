"""Aliases: names such as `production` that stand for one model each, and can be moved to another."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from pretext_client.http import Call, Http
from pretext_client.types import Value

_PATH = "/v1/models/aliases"


@dataclass(frozen=True, kw_only=True)
class Alias(Value):
    """A name that stands for a model wherever a model's id is taken."""

    id: str
    name: str
    model_id: str
    """What it stands for."""
    created_at: datetime
    updated_at: datetime
    """When it was last moved to another model."""


class Aliases:
    """Names for models: `pretext.models.get("production")` is the model that `production` stands for."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self, *, model_id: str | None = None) -> Iterator[Alias]:
        """All, or those of one model, the newest first."""
        return self._http.pages(_PATH, {"model_id": model_id}, Alias, lambda one: one.id)

    def get(self, name: str) -> Alias:
        """Read an alias."""
        return self._http.value(Call("GET", _path(name)), Alias)

    def put(self, name: str, model_id: str, *, new: bool = False) -> Alias:
        """Have a name stand for a model from now on. Nobody ever finds it without one.

        Args:
            name: up to 64 letters, digits, dots, dashes and underscores.
            model_id: the model: its id, or another alias.
            new: only make it; refuse if it is there already.

        Raises:
            NotFound: there is no such model.
            ApiError: it was to be new, and is there.
        """
        headers = {"If-None-Match": "*"} if new else {}
        return self._http.value(Call("PUT", _path(name), headers=headers, json={"model_id": model_id}), Alias)

    def delete(self, name: str) -> None:
        """Delete a name. The model stays."""
        self._http.json(Call("DELETE", _path(name)))


def _path(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"
