"""Administration: projects, members, keys, workers and the audit log."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pretext_client.http import Call, Http
from pretext_client.types import AuditEntry, Key, Member, Project, Usage, Worker


class Projects:
    """Projects; all but one's own are for the server's administrators."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> Iterator[Project]:
        """All that this key may see, the newest first."""
        return self._http.pages("/v1/projects", {}, Project, lambda one: one.id)

    def current(self) -> Project:
        """The project that this key is of."""
        return self._http.value(Call("GET", "/v1/projects/current"), Project)

    def get(self, project_id: str) -> Project:
        """Read a project."""
        return self._http.value(Call("GET", _path("projects", project_id)), Project)

    def create(self, name: str, **quotas: int | None) -> Project:
        """Make a project, with `most_bytes`, `most_running` and `most_gpu_seconds` if it shall be bounded.

        >>> project = pretext.projects.create("vision-lab", most_running=2)
        """
        return self._http.value(_post("/v1/projects", {"name": name, **quotas}), Project)

    def update(self, project_id: str, **changes: Any) -> Project:
        """Change its `name` or quotas; what is left out stays, and a quota of None has no bound."""
        return self._http.value(Call("PATCH", _path("projects", project_id), json=changes), Project)

    def usage(self, project_id: str, *, days: int = 30) -> Usage:
        """What it uses.

        >>> stored = pretext.projects.usage(pretext.projects.current().id).stored["total"]
        """
        return self._http.value(Call("GET", f"{_path('projects', project_id)}/usage", {"days": days}), Usage)

    def delete(self, project_id: str) -> None:
        """Delete a project with everything in it. It cannot be undone."""
        self._http.json(Call("DELETE", _path("projects", project_id)))


class Members:
    """Members of the project. For its administrators."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self, *, after: str | None = None, limit: int | None = None) -> Iterator[Member]:
        """All, the newest first; pages are fetched as needed. `after` is the id of one that the list goes on behind."""
        return self._http.some("/v1/members", {"after": after}, Member, lambda one: one.id, limit)

    def get(self, member_id: str) -> Member:
        """Read a member."""
        return self._http.value(Call("GET", _path("members", member_id)), Member)

    def create(self, name: str, *, role: str = "write", email: str | None = None) -> Member:
        """Take somebody in."""
        return self._http.value(_post("/v1/members", {"name": name, "role": role, "email": email}), Member)

    def update(self, member_id: str, **changes: Any) -> Member:
        """Change their `name`, `email` or `role`; what is left out stays. A role below what their keys are for is refused."""
        return self._http.value(Call("PATCH", _path("members", member_id), json=changes), Member)

    def delete(self, member_id: str) -> None:
        """Let somebody go, and revoke their keys."""
        self._http.json(Call("DELETE", _path("members", member_id)))


class Keys:
    """Keys of the project. For its administrators."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self, *, member_id: str | None = None, after: str | None = None, limit: int | None = None) -> Iterator[Key]:
        """All, or those of a member, the newest first; pages are fetched as needed. `after`: as of `members.list`."""
        return self._http.some("/v1/keys", {"member_id": member_id, "after": after}, Key, lambda one: one.id, limit)

    def current(self) -> Key:
        """The key that asks; any key may."""
        return self._http.value(Call("GET", "/v1/keys/current"), Key)

    def get(self, key_id: str) -> Key:
        """Read a key, without what it is."""
        return self._http.value(Call("GET", _path("keys", key_id)), Key)

    def create(
        self,
        name: str,
        *,
        scope: str = "write",
        member_id: str | None = None,
        expires_at: datetime | None = None,
        project_id: str | None = None,
    ) -> Key:
        """Make a key. `key` of what is given back is the key itself, this once.

        >>> key = pretext.keys.create("laptop", scope="read").key

        Args:
            name: what it is for.
            scope: `read`, `write` or `admin`.
            member_id: whose it is.
            expires_at: when it is accepted no longer, with a time zone.
            project_id: another project, for the server's administrators.
        """
        asked = {"name": name, "scope": scope, "member_id": member_id, "expires_at": _written(expires_at)}
        return self._http.value(_post("/v1/keys", asked, {"project_id": project_id}), Key)

    def update(self, key_id: str, **changes: Any) -> Key:
        """Change its `name`. What it is for does not change: make another, and revoke this one."""
        return self._http.value(Call("PATCH", _path("keys", key_id), json=changes), Key)

    def revoke(self, key_id: str) -> Key:
        """Accept a key no longer."""
        return self._http.value(Call("DELETE", _path("keys", key_id)), Key)


def workers(http: Http) -> Iterator[Worker]:
    """The workers, the newest first."""
    return http.pages("/v1/workers", {}, Worker, lambda one: one.id)


def audit(
    http: Http,
    *,
    action: str | None = None,
    key_id: str | None = None,
    outcome: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> Iterator[AuditEntry]:
    """The audit log, the newest first."""
    span = {"created_after": _written(since), "created_before": _written(until)}
    wanted = {"action": action, "key_id": key_id, "outcome": outcome, **span, "after": after}
    return http.some("/v1/audit", wanted, AuditEntry, lambda one: one.id, limit)


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _path(what: str, id_: str) -> str:
    return f"/v1/{what}/{quote(id_, safe='')}"


def _post(path: str, asked: dict[str, Any], params: dict[str, Any] | None = None) -> Call:
    """A request that is not sent again by itself: a second one would make a second thing."""
    return Call("POST", path, params or {}, json=asked)
