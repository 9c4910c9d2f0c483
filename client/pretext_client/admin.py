"""Administration: projects, members, keys, workers and the audit log."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pretext_client.http import Call, Http
from pretext_client.types import Json, Value


@dataclass(frozen=True, kw_only=True)
class Project(Value):
    """Who shares datasets, jobs and models; nobody else sees anything of them."""

    id: str
    name: str
    operator: bool = False
    """Whether its administrators administer the server, too."""
    most_bytes: int | None = None
    """Bytes that it may store; none: no bound."""
    most_running: int | None = None
    """Jobs that may run at a time."""
    most_gpu_seconds: int | None = None
    """GPU seconds that its jobs may take in 30 days."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Usage(Value):
    """What a project uses."""

    project_id: str
    stored: Json
    """Bytes of `datasets`, `models`, `pictures`, `evaluations`, `embeddings`, and the `total`."""
    running: int
    """Jobs that a worker has."""
    gpu_seconds: float
    """GPU time of the last 30 days."""
    days: tuple[Json, ...]
    """Each `day` and `device` with `seconds` and `jobs`, the newest first."""


@dataclass(frozen=True, kw_only=True)
class Member(Value):
    """A person, or a program, that keys are given to."""

    id: str
    name: str
    email: str | None = None
    role: str
    """`read`, `write` or `admin`: the most that their keys can be for."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Key(Value):
    """A key; `key` is the key itself, and is there only just after it was made."""

    id: str
    name: str
    prefix: str
    """Its first characters."""
    scope: str
    """`read`, `write` or `admin`."""
    member_id: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Worker(Value):
    """A worker that is, or was lately, alive."""

    id: str
    host: str
    device: str
    """`cpu` or `cuda`."""
    device_name: str | None = None
    """Model of it."""
    memory_bytes: int | None = None
    """Memory that its jobs may take together."""
    slots: Json
    """Jobs that it runs at a time, by lane."""
    alive: bool
    running: tuple[str, ...]
    """Ids of the jobs that it has."""
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class AuditEntry(Value):
    """Something that was done, or refused for want of rights."""

    id: str
    at: datetime
    key_id: str | None = None
    action: str
    outcome: str
    """`done` or `denied`."""
    subjects: tuple[str, ...]
    """Ids of what it was done to, and of what it made."""
    request_id: str | None = None
    address: str | None = None


class Projects:
    """Projects; all but one's own are for the server's administrators."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> Iterator[Project]:
        """All that this key may see, the newest first."""
        return self._http.pages("/v1/projects", {}, Project, lambda one: one.id)

    def current(self) -> Project:
        """The project that this key is of."""
        return Project.of(self._http.json(Call("GET", "/v1/projects/current")))

    def get(self, project_id: str) -> Project:
        """Read a project."""
        return Project.of(self._http.json(Call("GET", _path("projects", project_id))))

    def create(self, name: str, **quotas: int | None) -> Project:
        """Make a project, with `most_bytes`, `most_running` and `most_gpu_seconds` if it shall be bounded."""
        return Project.of(self._http.json(_post("/v1/projects", {"name": name, **quotas})))

    def update(self, project_id: str, **changes: Any) -> Project:
        """Change its `name` or quotas; what is left out stays, and a quota of None has no bound."""
        return Project.of(self._http.json(Call("PATCH", _path("projects", project_id), json=changes)))

    def usage(self, project_id: str, *, days: int = 30) -> Usage:
        """What it uses."""
        return Usage.of(self._http.json(Call("GET", f"{_path('projects', project_id)}/usage", {"days": days})))

    def delete(self, project_id: str) -> None:
        """Delete a project with everything in it. It cannot be undone."""
        self._http.json(Call("DELETE", _path("projects", project_id)))


class Members:
    """Members of the project. For its administrators."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> Iterator[Member]:
        """All, the newest first."""
        return self._http.pages("/v1/members", {}, Member, lambda one: one.id)

    def get(self, member_id: str) -> Member:
        """Read a member."""
        return Member.of(self._http.json(Call("GET", _path("members", member_id))))

    def create(self, name: str, *, role: str = "write", email: str | None = None) -> Member:
        """Take somebody in."""
        return Member.of(self._http.json(_post("/v1/members", {"name": name, "role": role, "email": email})))

    def delete(self, member_id: str) -> None:
        """Let somebody go, and revoke their keys."""
        self._http.json(Call("DELETE", _path("members", member_id)))


class Keys:
    """Keys of the project. For its administrators."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> Iterator[Key]:
        """All, the newest first."""
        return self._http.pages("/v1/keys", {}, Key, lambda one: one.id)

    def current(self) -> Key:
        """The key that asks; any key may."""
        return Key.of(self._http.json(Call("GET", "/v1/keys/current")))

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

        Args:
            name: what it is for.
            scope: `read`, `write` or `admin`.
            member_id: whose it is.
            expires_at: when it is accepted no longer, with a time zone.
            project_id: another project, for the server's administrators.
        """
        expiry = expires_at.isoformat() if expires_at is not None else None
        asked = {"name": name, "scope": scope, "member_id": member_id, "expires_at": expiry}
        return Key.of(self._http.json(_post("/v1/keys", asked, {"project_id": project_id})))

    def revoke(self, key_id: str) -> Key:
        """Accept a key no longer."""
        return Key.of(self._http.json(Call("DELETE", _path("keys", key_id))))


def workers(http: Http) -> Iterator[Worker]:
    """The workers, the newest first."""
    return http.pages("/v1/workers", {}, Worker, lambda one: one.id)


def audit(http: Http, *, action: str | None = None, key_id: str | None = None) -> Iterator[AuditEntry]:
    """The audit log, the newest first."""
    return http.pages("/v1/audit", {"action": action, "key_id": key_id}, AuditEntry, lambda one: one.id)


def _path(what: str, id_: str) -> str:
    return f"/v1/{what}/{quote(id_, safe='')}"


def _post(path: str, asked: dict[str, Any], params: dict[str, Any] | None = None) -> Call:
    """A request that is not sent again by itself: a second one would make a second thing."""
    return Call("POST", path, params or {}, json=asked)
