"""The same as `admin.py` for `await`. Made by client/make_async: change that file, and run it."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from pretext_client.admin import _path, _post, _written
from pretext_client.async_http import AsyncHttp
from pretext_client.http import Call
from pretext_client.types import AuditEntry, Key, Member, Project, Usage, Worker


class AsyncProjects:
    """Projects; all but one's own are for the server's administrators."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(self) -> AsyncIterator[Project]:
        """All that this key may see, the newest first."""
        return self._http.pages("/v1/projects", {}, Project, lambda one: one.id)

    async def current(self) -> Project:
        """The project that this key is of."""
        return await self._http.value(Call("GET", "/v1/projects/current"), Project)

    async def get(self, project_id: str) -> Project:
        """Read a project."""
        return await self._http.value(Call("GET", _path("projects", project_id)), Project)

    async def create(self, name: str, **quotas: int | None) -> Project:
        """Make a project, with `most_bytes`, `most_running` and `most_gpu_seconds` if it shall be bounded.

        >>> project = await pretext.projects.create("vision-lab", most_running=2)
        """
        return await self._http.value(_post("/v1/projects", {"name": name, **quotas}), Project)

    async def update(self, project_id: str, **changes: Any) -> Project:
        """Change its `name` or quotas; what is left out stays, and a quota of None has no bound."""
        return await self._http.value(Call("PATCH", _path("projects", project_id), json=changes), Project)

    async def usage(self, project_id: str, *, days: int = 30) -> Usage:
        """What it uses.

        >>> stored = (await pretext.projects.usage((await pretext.projects.current()).id)).stored["total"]
        """
        return await self._http.value(Call("GET", f"{_path('projects', project_id)}/usage", {"days": days}), Usage)

    async def delete(self, project_id: str) -> None:
        """Delete a project with everything in it. It cannot be undone."""
        await self._http.json(Call("DELETE", _path("projects", project_id)))


class AsyncMembers:
    """Members of the project. For its administrators."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(self, *, after: str | None = None, limit: int | None = None) -> AsyncIterator[Member]:
        """All, the newest first; pages are fetched as needed. `after` is the id of one that the list goes on behind."""
        return self._http.some("/v1/members", {"after": after}, Member, lambda one: one.id, limit)

    async def get(self, member_id: str) -> Member:
        """Read a member."""
        return await self._http.value(Call("GET", _path("members", member_id)), Member)

    async def create(self, name: str, *, role: str = "write", email: str | None = None) -> Member:
        """Take somebody in."""
        return await self._http.value(_post("/v1/members", {"name": name, "role": role, "email": email}), Member)

    async def update(self, member_id: str, **changes: Any) -> Member:
        """Change their `name`, `email` or `role`; what is left out stays. A role below what their keys are for is refused."""
        return await self._http.value(Call("PATCH", _path("members", member_id), json=changes), Member)

    async def delete(self, member_id: str) -> None:
        """Let somebody go, and revoke their keys."""
        await self._http.json(Call("DELETE", _path("members", member_id)))


class AsyncKeys:
    """Keys of the project. For its administrators."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(self, *, member_id: str | None = None, after: str | None = None, limit: int | None = None) -> AsyncIterator[Key]:
        """All, or those of a member, the newest first; pages are fetched as needed. `after`: as of `members.list`."""
        return self._http.some("/v1/keys", {"member_id": member_id, "after": after}, Key, lambda one: one.id, limit)

    async def current(self) -> Key:
        """The key that asks; any key may."""
        return await self._http.value(Call("GET", "/v1/keys/current"), Key)

    async def get(self, key_id: str) -> Key:
        """Read a key, without what it is."""
        return await self._http.value(Call("GET", _path("keys", key_id)), Key)

    async def create(
        self,
        name: str,
        *,
        scope: str = "write",
        member_id: str | None = None,
        expires_at: datetime | None = None,
        project_id: str | None = None,
    ) -> Key:
        """Make a key. `key` of what is given back is the key itself, this once.

        >>> key = (await pretext.keys.create("laptop", scope="read")).key

        Args:
            name: what it is for.
            scope: `read`, `write` or `admin`.
            member_id: whose it is.
            expires_at: when it is accepted no longer, with a time zone.
            project_id: another project, for the server's administrators.
        """
        asked = {"name": name, "scope": scope, "member_id": member_id, "expires_at": _written(expires_at)}
        return await self._http.value(_post("/v1/keys", asked, {"project_id": project_id}), Key)

    async def update(self, key_id: str, **changes: Any) -> Key:
        """Change its `name`. What it is for does not change: make another, and revoke this one."""
        return await self._http.value(Call("PATCH", _path("keys", key_id), json=changes), Key)

    async def revoke(self, key_id: str) -> Key:
        """Accept a key no longer."""
        return await self._http.value(Call("DELETE", _path("keys", key_id)), Key)


def workers(http: AsyncHttp) -> AsyncIterator[Worker]:
    """The workers, the newest first."""
    return http.pages("/v1/workers", {}, Worker, lambda one: one.id)


def audit(
    http: AsyncHttp,
    *,
    action: str | None = None,
    key_id: str | None = None,
    outcome: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> AsyncIterator[AuditEntry]:
    """The audit log, the newest first."""
    span = {"created_after": _written(since), "created_before": _written(until)}
    wanted = {"action": action, "key_id": key_id, "outcome": outcome, **span, "after": after}
    return http.some("/v1/audit", wanted, AuditEntry, lambda one: one.id, limit)
