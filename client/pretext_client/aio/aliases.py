"""The same as `aliases.py` for `await`. Made by client/make_async: change that file, and run it."""

from collections.abc import AsyncIterator

from pretext_client.aliases import _PATH, Alias, _path
from pretext_client.async_http import AsyncHttp
from pretext_client.http import Call


class AsyncAliases:
    """Names for models: `pretext.models.get("production")` is the model that `production` stands for."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(self, *, model_id: str | None = None) -> AsyncIterator[Alias]:
        """All, or those of one model, the newest first."""
        return self._http.pages(_PATH, {"model_id": model_id}, Alias, lambda one: one.id)

    async def get(self, name: str) -> Alias:
        """Read an alias."""
        return await self._http.value(Call("GET", _path(name)), Alias)

    async def put(self, name: str, model_id: str, *, new: bool = False) -> Alias:
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
        return await self._http.value(Call("PUT", _path(name), headers=headers, json={"model_id": model_id}), Alias)

    async def delete(self, name: str) -> None:
        """Delete a name. The model stays."""
        await self._http.json(Call("DELETE", _path(name)))
